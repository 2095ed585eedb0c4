"""Trees as sequences: every sampled token is trained once, with its own prefix; groups keep to their size."""

import numpy as np
import pytest
import torch

import batch
import curves
import rl
from daemon import Refused


def node(id, parent, tokens, mask, advantage, weight=1.0, version="v1", sampled=None):
    logprobs = [-0.1 * t if m else 0 for t, m in zip(tokens, mask, strict=True)]
    return {
        "id": id, "parent": parent, "tokens": tokens, "mask": mask, "logprobs": logprobs, "sampled_logprobs": sampled,
        "advantage": advantage, "weight": weight, "policy_version": version,
    }  # fmt: skip


TREE = {
    "nodes": [
        node(0, -1, [1, 2], [0, 0], None, 0.0),
        node(1, 0, [10, 11, 12], [1, 1, 0], 0.5, 2.0),
        node(2, 1, [20, 21, 22], [1, 1, 0], 1.5, version="v0"),
        node(3, 1, [30, 31], [1, 0], -0.5, sampled=[-9.0, 0]),
    ],
    "leaves": [{"path": [0, 1, 2]}, {"path": [0, 1, 3]}],
}


def test_shared_step_is_trained_once():
    first, second = batch.sequences([TREE], "v1")
    assert first.ids.tolist() == [1, 2, 10, 11, 12, 20, 21], "nothing behind the last trained token"
    assert first.mask.tolist() == [False, False, True, True, False, True, True]
    assert first.weights.tolist() == [0, 0, 2, 2, 0, 1, 1]
    assert first.advantages[first.mask].tolist() == [0.5, 0.5, 1.5, 1.5]
    assert first.fresh[first.mask].tolist() == [True, True, False, False]
    assert second.ids.tolist() == [1, 2, 10, 11, 12, 30]
    assert second.mask.tolist() == [False] * 5 + [True], "the shared step is context here"
    assert second.logprobs[-1] == -9.0, "of the distribution that was sampled from, where it differs"


def test_steps_without_advantage_are_not_trained():
    alone = {"nodes": [node(0, -1, [1], [0], None, 0.0), node(1, 0, [2], [1], None, 0.0)], "leaves": [{"path": [0, 1]}]}
    assert batch.sequences([alone, {"nodes": [], "leaves": []}], "v1") == []


def sequence(length: int) -> batch.Sequence:
    ids = np.arange(length)
    return batch.Sequence(ids, ids > 0, -0.1 * ids, ids * 1.0, ids * 1.0, ids >= 0)


def test_groups_hold_everything_within_their_size():
    lengths = [5, 90, 7, 40, 41, 6, 300, 39]
    groups = list(batch.micro([sequence(n) for n in lengths], 120))
    assert sorted(len(s.ids) for g in groups for s in g) == sorted(lengths)
    assert all(len(g) == 1 or len(g) * max(len(s.ids) for s in g) <= 120 for g in groups)
    padded = batch.pad(groups[-1], "ids", -1)
    assert padded.shape == (len(groups[-1]), len(groups[-1][0].ids))


def test_token_loss():
    """Worked by hand: advantage, ratio → loss without the penalty."""
    o = rl.options(["--model=m", "--out=o", "--kl=0"])
    cases = [
        (1, 1, -1),
        (1, 1.1, -1.1),
        (1, 1.5, -1.2),
        (1, 0.5, -0.5),
        (-1, 0.5, 0.8),
        (-1, 1.5, 1.5),
        (-1, 9, 3),
        (0, 2, 0),
    ]
    advantages, ratios, losses = (torch.tensor(x, dtype=torch.float64) for x in zip(*cases, strict=True))
    values = rl.token_loss(ratios.log(), torch.zeros(8, dtype=torch.float64), ratios.log(), advantages, o)
    torch.testing.assert_close(values["loss"], losses)
    assert values["clip_fraction"].tolist() == [0, 0, 1, 0, 1, 0, 0, 0]


def test_penalty_is_zero_only_at_the_reference():
    o = rl.options(["--model=m", "--out=o", "--kl=0.5"])
    logp = torch.tensor([-1.0, -2.0, -0.5], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([-1.0, -1.0, -1.0], dtype=torch.float64)
    values = rl.token_loss(logp, logp.detach(), reference, torch.zeros(3, dtype=torch.float64), o)
    torch.testing.assert_close(values["kl"], torch.tensor([0, np.e - 2, np.exp(-0.5) - 0.5], dtype=torch.float64))
    values["loss"].sum().backward()
    torch.testing.assert_close(logp.grad, 0.5 * (1 - (reference - logp.detach()).exp()))


def test_an_engine_without_logprobs_is_refused():
    silent = TREE | {"nodes": [n | {"logprobs": None} for n in TREE["nodes"]]}
    with pytest.raises(Refused, match="told no logprobs"):
        batch.sequences([silent], "v1")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "has no metrics of rl.py"),
        ('{"step": 1, "loss": 2}\n', "has no metrics of rl.py"),  # of sft.py
        ("{}\n", "line 1 is no line of metrics: delete it"),
        ('{"step": 0}\nx\n', "line 2 is no line of metrics"),
    ],
)
def test_metrics_that_are_none(text, words, tmp_path, monkeypatch):
    (tmp_path / "metrics.jsonl").write_text(text)
    monkeypatch.setattr("sys.argv", ["curves.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=words):
        curves.main()


def test_an_odd_parameter():
    pairs = {"a=1": ("a", 1), "a=x": ("a", "x"), "a=NaN": ("a", "NaN"), "a": ("a", ""), "a=true": ("a", True)}
    assert {text: rl.parameter(text) for text in pairs} == pairs
