"""The embedded engine and Transformers compute the same policy, and the sampler makes the tokens of
model.Encoder."""

import json
import subprocess

import pytest
import torch
from daemons import SETTINGS, SPARKD, tiny

import model as policy
import to_gguf

# The engine keeps keys and values in float16, else both compute in float32 with weights of float16.
# Measured here: 0.0011 nats between logprobs, 0.0006 between entropies.
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """A policy with weights of float16, and a tree that the engine grew with it, greedily."""
    folder = tiny(tmp_path_factory.mktemp("policy"))
    model, tokenizer = policy.load(folder)
    model = model.half().float()
    to_gguf.write(model, tokenizer, folder / "half.gguf", "half")
    if not SPARKD.exists():
        pytest.skip(f"NOT RUN: no program {SPARKD}; run `make build`, or set SPARKD")
    where = ["--model", folder / "half.gguf", "--data", folder / "data", "--out", folder / "tree.jsonl"]
    what = ["--policy=linear", "--roots=1", "--leaves=1", "--max-steps=6", "--max-tokens=24", "--temperature=0"]
    form = ["--format=tree", "--advantage=grpo", "--entropies", "--text"]
    options = [f"--set={s}" for s in SETTINGS if s.startswith("engine")]
    subprocess.run([SPARKD, "run", *where, *what, *form, *options], check=True, capture_output=True, timeout=300)
    return model, tokenizer, json.loads((folder / "tree.jsonl").read_text())


def test_greedy_tokens_logprobs_and_entropies(setting):
    model, _, tree = setting
    path = [tree["nodes"][i] for i in tree["leaves"][0]["path"]]
    ids, sampled, logprobs, entropies = (
        [x for n in path for x in n[k] or [0] * len(n["tokens"])] for k in ("tokens", "mask", "logprobs", "entropies")
    )
    with torch.no_grad():
        logp = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)[:-1]
    at = torch.tensor(sampled[1:], dtype=torch.bool)
    logp, tokens = logp[at], torch.tensor(ids)[1:][at]
    best = logp.topk(2)
    clear = best.values[:, 0] - best.values[:, 1] > TOLERANCE
    assert at.sum() >= 20 and clear.sum() > 0.9 * at.sum()
    assert torch.equal(best.indices[:, 0][clear], tokens[clear])
    gap = (logp.gather(-1, tokens[:, None])[:, 0] - torch.tensor(logprobs)[1:][at]).abs().max()
    entropy_gap = (-(logp.exp() * logp).sum(-1) - torch.tensor(entropies)[1:][at]).abs().max()
    assert gap < TOLERANCE and entropy_gap < TOLERANCE, f"logprobs differ by {gap}, entropies by {entropy_gap}"


def test_prompts_are_the_encoder_s(setting):
    _, tokenizer, tree = setting
    encoder = policy.Encoder(tokenizer)
    opening = tree["nodes"][0]["observation"].removeprefix(policy.USER).removesuffix(policy.ASSISTANT)
    assert tree["nodes"][0]["tokens"] == encoder.prompt([{"role": "user", "content": opening}])
    for node in tree["nodes"][1:]:
        read = [t for t, sampled in zip(node["tokens"], node["mask"]) if not sampled]
        if node["done"] or not read:
            continue
        user = encoder.prompt([{"role": "user", "content": node["observation"]}])
        end = [] if node["finish"] == "stop" else [encoder.end]
        assert read == end + user
