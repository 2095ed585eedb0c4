"""Fine-tuning: the batches, the loss, and that a run can be repeated and taken up again."""

import json
import random

import pytest
import torch
import torch.nn.functional as F
from daemons import ROW

import model as policy
import sft

SMALL = [
    "--hidden=32",
    "--layers=1",
    "--heads=2",
    "--ffn=32",
    "--context=256",
    "--vocabulary=280",
    "--batch-tokens=512",
    "--threads=1",
]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Sixty conversations of different lengths, one in ten over the context."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    messages = [{"role": role, "content": content} for role, content in ROW]
    with open(path, "w") as out:
        for i in range(60):
            filler = {"role": "user", "content": random.Random(i).randbytes(200 if i % 10 == 9 else i % 7).hex()}
            out.write(json.dumps({"messages": [*messages, filler, messages[1] | {"weight": i % 2}]}) + "\n")
    return path


def run(rows, out, *more) -> dict:
    """Trains, and returns the weights."""
    out.mkdir(exist_ok=True)
    args = sft.options([f"--rows={rows}", f"--out={out}", "--tokens=20000", *SMALL, *more])
    torch.set_num_threads(args.threads)
    sft.train(sft.prepare(args))
    return policy.load(out)[0].state_dict()


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("seed", range(5))
def test_batches_hold_every_row_once_within_the_limit(seed):
    rng = random.Random(seed)
    lengths = [rng.randint(1, 700) for _ in range(200)]
    got = sft.batches(lengths, 2048, rng)
    assert sorted(i for batch in got for i in batch) == list(range(200))
    for batch in got:
        assert len(batch) * sft.padded(max(lengths[i] for i in batch)) <= 2048
    assert sft.batches([], 2048, rng) == []
    assert sft.batches([5000], 2048, rng) == [[0]]


@pytest.mark.parametrize("observation_weight", [0.0, 0.25])
def test_the_loss_is_the_weighted_one_and_padding_does_not_count(rows, observation_weight):
    talks = sft.prepare(sft.options([f"--rows={rows}", "--out=unused", "--tokens=1", *SMALL]))
    model, pair = talks.model, sorted(talks.rows, key=lambda t: len(t.ids))[:: len(talks.rows) - 1]
    total, weight = sft.loss_sum(model, *sft.collate(pair, 0, observation_weight))
    want = want_weight = 0.0
    for talk in pair:
        ids = torch.tensor([talk.ids])
        nll = F.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
        weights = torch.tensor(
            [0.0 if m else 1 if a else observation_weight for a, m in zip(talk.answer[1:], talk.muted[1:])]
        )
        want, want_weight = want + (nll * weights).sum().item(), want_weight + weights.sum().item()
    assert weight.item() == pytest.approx(want_weight)
    assert total.item() == pytest.approx(want, rel=1e-4)


def test_the_same_arguments_give_the_same_weights_and_a_policy_that_learnt(rows, tmp_path):
    first, again = run(rows, tmp_path / "a"), run(rows, tmp_path / "b")
    assert same(first, again)
    assert not same(first, run(rows, tmp_path / "c", "--seed=1"))
    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["held_out_loss"] < 3  # log(280) is 5.6


def test_a_killed_run_goes_on_where_it_was(rows, tmp_path, monkeypatch, capsys):
    whole = run(rows, tmp_path / "whole")
    with monkeypatch.context() as patch:
        steps = iter(range(20))
        schedule = sft.schedule

        def killed(done: float) -> float:
            next(steps)  # StopIteration at the 21st step
            return schedule(done)

        patch.setattr(sft, "schedule", killed)
        with pytest.raises(StopIteration):
            run(rows, tmp_path / "parts", "--checkpoint-every=0")
    assert (tmp_path / "parts" / "checkpoint.pt").exists()
    with pytest.raises(SystemExit, match="other arguments"):
        run(rows, tmp_path / "parts", "--lr=1")
    seen = torch.load(tmp_path / "parts" / "checkpoint.pt")["seen"]
    assert same(whole, run(rows, tmp_path / "parts"))
    assert f"goes on at {seen} tokens" in capsys.readouterr().out
    assert not (tmp_path / "parts" / "checkpoint.pt").exists()


def test_a_policy_can_be_trained_on(rows, tmp_path):
    run(rows, tmp_path / "first")
    on = run(rows, tmp_path / "on", f"--init={tmp_path / 'first'}", "--muon-lr=0", "--lr=1e-4", "--no-bfloat16")
    assert not same(on, policy.load(tmp_path / "first")[0].state_dict())
    last = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1])["held_out_loss"]
        for name in ("first", "on")
    ]
    assert last[1] <= last[0]
