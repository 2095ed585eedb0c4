"""The figures of an evaluation: by hand, and of a real daemon."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import SPARKD, Program, tiny

import evaluate
import model as policy
from daemon import Daemon, Refused

TEXT = {
    0: "<think>",
    1: "go",
    2: "</think>",
    3: "<action>",
    4: "</action>",
    5: "<act",
    6: "ion>",
    7: "</",
    8: "action",
    9: ">",
    10: "<|end|>",
}


def decode(ids: list[int]) -> str:
    return "".join(TEXT[i] for i in ids)


@pytest.mark.parametrize(
    "successes, trials, low, high", [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (100, 100, 0.9630, 1)]
)
def test_wilson(successes, trials, low, high):
    assert evaluate.wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    "tokens, want",
    [
        ([0, 1, 2, 3, 1, 1, 4, 10], [4, 5]),
        ([0, 1, 2, 5, 6, 1, 7, 8, 9], [5]),  # marks spelled in several tokens
        ([3, 4], []),
        ([3, 1], []),
        ([1, 4], []),
        ([], []),
    ],
)
def test_action_tokens(tokens, want):
    assert evaluate.action_tokens(tokens, decode) == want


def node(tags: list[str], entropies: list[float], valid: bool = True) -> dict:
    """A step <think>go</think><action>go</action><|end|> with an observation of two tokens."""
    return {
        "tokens": [0, 1, 2, 3, 1, 4, 10, 1, 1], "mask": [1] * 7 + [0] * 2, "entropies": [*entropies, 0, 0],
        "tags": tags, "valid": valid, "admissible": valid, "policy_version": "v",
    }  # fmt: skip


def test_summary():
    steps = [
        node(["explore"], [1, 1, 1, 1, 0.5, 1, 0]),
        node(["think"], [0, 0, 0, 0, 2, 0, 0]),
        node(["think"], [0, 0, 0, 0, 0.25, 0, 0], False),
    ]
    trees = [
        {"nodes": [{}, *steps], "leaves": [{"path": [0, 1, 2], "outcome": "success"}]},
        {"nodes": [{}, *steps], "leaves": [{"path": [0, 3], "outcome": "step_limit"}]},
    ]
    got = evaluate.summarize(trees, "explore", decode)
    assert (got["trajectories"], got["successes"], got["success"], got["steps"], got["tokens_per_step"]) == (
        2,
        1,
        0.5,
        1.5,
        7,
    )
    assert (got["valid"], got["admissible"], got["tagged"]) == (0.6667, 0.6667, 0.3333)
    action, answer, after = (got["entropy"][kind] for kind in ("action", "answer", "next_action"))
    assert action["with_tag"] == {"steps": 1, "per_step": 0.5, "per_token": 0.5}
    assert action["without_tag"] == {"steps": 2, "per_step": 1.125, "per_token": 1.125}
    assert answer["with_tag"]["per_step"] == 5.5 and answer["with_tag"]["per_token"] == round(5.5 / 7, 4)
    assert after["with_tag"] == {"steps": 1, "per_step": 2.0, "per_token": 2.0}
    assert after["without_tag"] == {"steps": 0, "per_step": None, "per_token": None}
    line = got | {"split": "l0", "seconds": 1.0, "trees_failed": 0}
    assert "50.0% [9.4%, 90.5%]" in evaluate.table([line, line], "explore")


def test_a_daemon_is_evaluated(tmp_path):
    if not SPARKD.exists():
        pytest.skip(f"NOT RUN: no program {SPARKD}; run `make build`, or set SPARKD")
    folder = tiny(tmp_path)
    program = [
        sys.executable,
        str(Path(evaluate.__file__)),
        "--spawn",
        str(SPARKD),
        "--model",
        str(folder / "policy.gguf"),
    ]
    options = ["--tokenizer", str(folder), "--tasks=3", "--samples=2", "--max-steps=3", "--splits=l0,l2", "--json"]
    done = subprocess.run(
        [*program, *options, "--set=engine.threads=1", "--set=engine.cells=8192"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["split"] for line in lines] == ["l0", "l2"]
    said = [f"{line['split']}: {line['successes']} of 6 succeeded, {line['seconds']} s" for line in lines]
    assert [s for s in done.stderr.splitlines() if "succeeded" in s] == said
    for line in lines:
        assert (line["trajectories"], line["trees_failed"]) == (6, 0)
        assert 0 < line["steps"] <= 3 and 0 < line["valid"] <= 1 and 0 < line["tokens_per_step"] <= 64
        answer = line["entropy"]["answer"]
        assert answer["with_tag"]["steps"] + answer["without_tag"]["steps"] > 0


def test_another_tokenizer_is_refused(tmp_path):
    cold = tiny(tmp_path / "policy")
    program = Program(tmp_path / "data", cold / "policy.gguf")
    program.start()
    try:
        daemon = Daemon(program.address, patience=60)
        assert evaluate.decoder(daemon, cold)([0]) == policy.load(cold)[1].decode([0])
        with pytest.raises(
            Refused, match="--tokenizer: .*hf/tokenizer.json is not the tokenizer of the daemon's model, tiny: name"
        ):
            evaluate.decoder(daemon, evaluate.BUNDLED)
        with pytest.raises(Refused, match="--tokenizer: .*none/tokenizer.json: "):
            evaluate.decoder(daemon, tmp_path / "none")
    finally:
        program.kill()


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--samples=0", "argument --samples: 0 is too small"),
        ("--tasks=0", "argument --tasks: 0 is too small"),
        ("--temperature=nan", "argument --temperature: nan is out of range"),
        ("--tag=", "argument --tag: name one"),
        ("--model=x.gguf", "--model and --set go with --spawn alone"),
        ("--set=a.b=1", "--model and --set go with --spawn alone"),
    ],
)
def test_flags_that_would_be_ignored_or_wrong(flag, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["evaluate.py", flag])
    with pytest.raises(SystemExit, match="2"):
        evaluate.main()
    assert words in capsys.readouterr().err
