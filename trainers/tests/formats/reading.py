"""Reads the lines of each format back into sequences, as its trainer does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

FILLER = 0.0  # logprob of a token that is not trained


@dataclass
class Read:
    """One sequence; all lists have one item a token, None where a format does not say."""

    group: str | int
    tokens: list[int]
    mask: list[int]
    logprobs: list[float] | None
    advantages: list[float]
    weights: list[float]
    reward: float | None = None


def behind(n: int, values: list | None, filler=0) -> list | None:
    """Values of a response, and filler for the n tokens of the prompt before it."""
    return None if values is None else [filler] * n + values


def verl(line: dict) -> Iterator[Read]:
    yield response(
        line,
        line["prompt_ids"],
        line["response_ids"],
        line["response_mask"],
        line["response_logprobs"],
        line["extra_fields"]["sparkd"],
    )


def trl_grpo(line: dict) -> Iterator[Read]:
    yield response(
        line, line["prompt_ids"], line["completion_ids"], line["env_mask"], line["logprobs"], line["metadata"]
    )


def skyrl(line: dict) -> Iterator[Read]:
    yield response(
        line,
        line["prompt_token_ids"],
        line["response_ids"],
        line["loss_masks"],
        line["rollout_logprobs"],
        line["metadata"],
    )


def slime(line: dict) -> Iterator[Read]:
    n = len(line["tokens"]) - line["response_length"]
    yield response(
        line, line["tokens"][:n], line["tokens"][n:], line["loss_mask"], line["rollout_log_probs"], line["metadata"]
    )


def response(line: dict, prompt: list, tokens: list, mask: list, logprobs: list, origin: dict) -> Read:
    n = len(prompt)
    reward = next(line[name] for name in ("reward_score", "rewards", "reward") if name in line)
    return Read(
        origin["uid"],
        prompt + tokens,
        behind(n, mask),
        behind(n, logprobs, FILLER),
        behind(n, origin["advantages"]),
        behind(n, origin["weights"]),
        reward,
    )


def trl_sft(line: dict) -> Iterator[Read]:
    origin = line["metadata"]
    mask = [int(label != -100) for label in line["labels"]]
    assert [t for t, m in zip(line["input_ids"], mask) if m] == [label for label in line["labels"] if label != -100]
    yield Read(origin["uid"], line["input_ids"], mask, None, origin["advantages"], origin["weights"], origin["reward"])


def trl_async(line: dict) -> Iterator[Read]:
    n = len(line["input_ids"])
    yield Read(
        line["group_id"],
        line["input_ids"],
        line["completion_mask"],
        line["old_log_probs"],
        [line["advantage"]] * n,
        [1.0] * n,
        line["metrics"]["reward"],
    )


def openrlhf(line: dict) -> Iterator[Read]:
    origin, mask = line["metadata"], [0] * len(line["observation_tokens"])
    for begin, end in line["action_ranges"]:
        mask[begin:end] = [1] * (end - begin)
    yield Read(
        origin["uid"],
        line["observation_tokens"],
        mask,
        line["rollout_log_probs"],
        origin["advantages"],
        origin["weights"],
        line["reward"],
    )


def areal(line: dict) -> Iterator[Read]:
    origin = line["metadata"]
    yield Read(
        origin["uid"],
        line["input_ids"],
        line["loss_mask"],
        line["logprobs"],
        origin["advantages"],
        origin["weights"],
        line["rewards"],
    )


def atropos(line: dict) -> Iterator[Read]:
    columns = ("tokens", "masks", "scores", "advantages", "inference_logprobs")
    for tokens, labels, score, advantages, logprobs in zip(*(line[name] for name in columns), strict=True):
        mask = [int(label != -100) for label in labels]
        assert [t for t, m in zip(tokens, mask) if m] == [label for label in labels if label != -100]
        # Atropos' filler is 1.0, which no logprob is.
        assert all((p == 1.0) == (m == 0) for p, m in zip(logprobs, mask, strict=True))
        plain = [p if m else FILLER for p, m in zip(logprobs, mask)]
        yield Read(line["group_overrides"]["uid"], tokens, mask, plain, advantages, [1.0] * len(tokens), score)


def verl_agent(line: dict) -> Iterator[Read]:
    prompt, tokens, n = line["prompts"], line["responses"], len(line["responses"])
    origin = {"uid": line["uid"], "advantages": [line["advantage"]] * n, "weights": [line["weight"]] * n}
    yield response(
        line | {"reward_score": line["episode_rewards"]},
        prompt,
        tokens,
        line["response_mask"],
        line["rollout_log_probs"],
        origin,
    )


READERS: dict[str, Callable[[dict], Iterator[Read]]] = {
    "verl": verl,
    "verl-agent": verl_agent,
    "trl-grpo": trl_grpo,
    "trl-async": trl_async,
    "trl-sft": trl_sft,
    "openrlhf": openrlhf,
    "atropos": atropos,
    "slime": slime,
    "areal": areal,
    "skyrl": skyrl,
}


def read(format: str, lines: list[dict]) -> list[Read]:
    return [r for line in lines for r in READERS[format](line)]
