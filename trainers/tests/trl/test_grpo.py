"""TRL's GRPOTrainer on format trl-grpo, by way of a rollout function."""

import pytest
import torch
import truth

from .conftest import logprobs, trained

APPEND = ("toy/household/train/17", "toy/household/train/18")  # groups of three sequences


@pytest.fixture
def taken(monkeypatch):
    """The batches that the trainer's loss was given."""
    from trl import GRPOTrainer

    batches, original = [], GRPOTrainer._compute_loss

    def spy(self, model, inputs):
        batches.append({name: v.clone() if torch.is_tensor(v) else v for name, v in inputs.items()})
        return original(self, model, inputs)

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", spy)
    return batches


def test_every_token_has_its_advantage(batch, run, model, taken):
    batch("trl-grpo", lambda line: line["metadata"]["uid"] in APPEND)
    trainer = run("trl-grpo")["trainer"]

    want = {tuple(s.tokens): s for uid in APPEND for s in truth.sequences(uid)}
    (inputs,) = taken
    assert len(inputs["prompt_ids"]) == len(want) == 6
    loss, count = 0.0, 0
    for i in range(6):
        prompt = inputs["prompt_ids"][i][inputs["prompt_mask"][i].bool()].tolist()
        real = inputs["completion_mask"][i].bool()
        s = want.pop(tuple(prompt + inputs["completion_ids"][i][real].tolist()))
        n = s.prompt()
        assert inputs["tool_mask"][i][real].tolist() == s.mask[n:]
        assert inputs["advantages"][i][real].tolist() == pytest.approx(s.advantages[n:], rel=1e-6)
        assert inputs["old_per_token_logps"][i][real].tolist() == pytest.approx(s.logprobs[n:])
        loss += surrogate(logprobs(model, s.tokens), s)
        count += sum(s.mask)
    assert not want
    assert trained(trainer, model) == pytest.approx(loss / count, rel=1e-3, abs=1e-5)


def surrogate(now, s) -> float:
    """PPO's clipped loss of a sequence, summed over its sampled tokens; clip range 0.2."""
    ratio = torch.exp(now - torch.tensor(s.logprobs))
    advantage = torch.tensor(s.advantages)
    terms = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
    return (terms * torch.tensor(s.mask)).sum().item()


def test_trl_s_own_advantages(batch, run, model, taken):
    """A plain GRPOTrainer computes them from the reward that the lines carry."""
    batch("trl-grpo", lambda line: line["metadata"]["uid"] in APPEND)
    trainer = run("trl-grpo", {"trainer = TreeGRPO(": "trainer = GRPOTrainer("})["trainer"]

    want = []
    for uid in APPEND:
        rewards = torch.tensor([s.reward for s in truth.sequences(uid)])
        want += ((rewards - rewards.mean()) / (rewards.std() + 1e-4)).tolist()
    (inputs,) = taken
    assert sorted(inputs["advantages"].tolist()) == pytest.approx(sorted(want), abs=1e-5)
    trained(trainer, model)


def test_a_missing_line_trains_nothing(batch, run, model, taken):
    """A group of two where TRL wants three."""
    lines = batch(
        "trl-grpo", lambda line: line["metadata"]["uid"] in APPEND and line["metadata"]["outcome"] != "step_limit"
    )
    assert len(lines) == 5
    run("trl-grpo")
    (inputs,) = taken
    idle = [i for i in range(6) if not (inputs["tool_mask"] * inputs["completion_mask"])[i].any()]
    assert len(idle) == 1 and not inputs["advantages"][idle[0]].any()
