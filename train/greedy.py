"""What Transformers computes with a policy, for the test that compares the embedded engine with it.

    python3 train/greedy.py bundled/hf bundled/household.gguf rows.jsonl > bundled/testdata/greedy.json

Prompts are the beginnings of the first rows; each is continued greedily. A continuation ends before the
first token that is nearly a tie, where rounding may decide.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
import transformers

import model as policy
from flags import whole

TIE = 0.1  # nats between the best two tokens


@torch.no_grad()
def greedy(model, prompt: list[int], end: int, most: int = 48) -> tuple[list[int], list[float]]:
    """The greedy continuation of a prompt, the end token included, and the logprobs of its tokens in nats."""
    tokens, logprobs, feed, cache = [], [], prompt, None
    while len(tokens) < most and end not in tokens:
        out = model(input_ids=torch.tensor([feed]), past_key_values=cache, use_cache=True)
        best = out.logits[0, -1].log_softmax(-1).topk(2)
        if best.values[0] - best.values[1] < TIE:
            break
        feed, cache = [best.indices[0].item()], out.past_key_values
        tokens += feed
        logprobs.append(round(best.values[0].item(), 6))
    return tokens, logprobs


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", help="Hugging Face folder of the policy")
    p.add_argument("gguf", type=Path, help="the same policy as GGUF")
    p.add_argument("rows", help="trajectories, JSONL")
    p.add_argument("--prompts", type=whole(1), default=24, help="(%(default)s)")
    o = p.parse_args()
    transformers.logging.disable_progress_bar()
    try:
        model, tokenizer = policy.load(o.folder)
        encoder, rows, cases = policy.Encoder(tokenizer), policy.read_rows(o.rows), []
        digest = hashlib.sha256(o.gguf.read_bytes()).hexdigest()
    except (ValueError, OSError) as error:
        raise SystemExit(f"greedy: {error}") from None
    for number, row in enumerate(rows[: o.prompts]):
        turns = 2 * (number % 6) + 1  # up to and including a user's turn
        messages = row["messages"][: min(turns, len(row["messages"]) - 1)]
        prompt = encoder.prompt(messages)
        tokens, logprobs = greedy(model, prompt, tokenizer.eos_token_id)
        cases.append(
            {"texts": [m["content"] for m in messages], "prompt": prompt, "tokens": tokens, "logprobs": logprobs}
        )
    print(json.dumps({"gguf_sha256": digest, "cases": cases}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
