"""TRL's AsyncGRPOTrainer on format trl-async, by way of RolloutSample."""

from collections import Counter

import numpy as np
import pytest
import torch
import truth

from .conftest import trained


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch):
    """The trainer asks for the GPU's speed and fetches a flash-attention kernel."""
    from trl.experimental.async_grpo import async_grpo_trainer, packing

    monkeypatch.setattr(async_grpo_trainer, "get_peak_flops_per_device", lambda *args, **rest: 1e12)
    monkeypatch.setattr(packing, "_flash_attn", lambda: Attention)


class Attention:
    @staticmethod
    def flash_attn_varlen_func(q, k, v, q_ends, k_ends, q_most, k_most, softmax_scale=None, **rest):
        """Causal attention of sequences packed behind each other; q, k, v are [tokens, heads, width]."""
        parts = []
        for i in range(len(q_ends) - 1):
            part = [
                x[ends[i] : ends[i + 1]].transpose(0, 1)[None] for x, ends in ((q, q_ends), (k, k_ends), (v, k_ends))
            ]
            if part[0].shape[2]:
                out = torch.nn.functional.scaled_dot_product_attention(
                    *part, is_causal=True, scale=softmax_scale, enable_gqa=True
                )
                parts.append(out[0].transpose(0, 1))
        return torch.cat(parts)


def test_one_step(batch, run, model):
    lines = batch("trl-async")
    trainer = run("trl-async")["trainer"]
    trained(trainer, model)
    assert trainer.rollout_worker.rollout_buffer.qsize() < len(lines)


def test_samples_hold_every_sampled_token(batch, run, model):
    """Each with its logprob and its step's advantage, which is one for all of a sample."""
    lines = batch("trl-async")
    sample = run("trl-async")["sample"]

    want = Counter()
    for s in truth.sequences():
        for at in np.flatnonzero(s.mask):
            want[tuple(s.tokens[: at + 1]), np.float32(s.logprobs[at]), s.advantages[at]] += 1
    got = Counter()
    for x in map(sample, lines):
        for at in np.flatnonzero(x.completion_mask):
            got[tuple(x.input_ids[: at + 1].tolist()), x.old_log_probs[at], x.advantage] += 1
    assert got == want
