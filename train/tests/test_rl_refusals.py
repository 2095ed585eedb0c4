"""What rl.py refuses, and what it says then.

python3 -m pytest train/tests/test_rl_refusals.py      # needs bin/sparkd
"""

import io
import resource
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

import rl
import run as runs
from daemon import Daemon, Refused, Spawned, objects, refusal
from daemons import ended, forked
from loop import metrics, options, state


def test_other_options_are_refused(cold, tmp_path):
    name = runs.Run(vars(options(cold, tmp_path, "", seed=3))).version
    run = runs.Run(vars(options(cold, tmp_path, "")))
    assert run.version != name and run.step == 0, "a run without a step is begun anew"
    run.commit({"step": 1})
    run.lock.close()
    with pytest.raises(SystemExit, match="another lr, seed"):
        runs.Run(vars(options(cold, tmp_path, "", lr=1, seed=7)))


def test_a_model_is_the_same_where_its_weights_are(cold, tmp_path):
    model, elsewhere, out = tmp_path / "a", tmp_path / "b", tmp_path / "run"
    shutil.copytree(cold, model)
    run = runs.Run(vars(options(model, out, "")))
    run.commit({"step": 1})
    run.lock.close()
    model.rename(elsewhere)
    runs.Run(vars(options(elsewhere, out, ""))).lock.close()
    weights = elsewhere / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(SystemExit, match="another model: give the same"):
        runs.Run(vars(options(elsewhere, out, "")))
    old = {k: v for k, v in state(out).items() if k != "weights"}  # a run that did not note its weights
    assert runs.differences(old, vars(options(model, out, ""))) == []
    assert runs.differences(old, vars(options(elsewhere, out, ""))) == ["model"]


@pytest.mark.parametrize(
    "flag, words",
    [
        ("--tasks=0", "0 is too small: at least 1"),
        ("--leaves=x", "'x' is no whole number"),
        ("--eval-every=-1", "-1 is too small: at least 0"),
        ("--minibatches=0", "at least 1"),
        ("--threads=0", "at least 1"),
        ("--temperature=0", "a finite number above 0"),
        ("--lr=nan", "a finite number of at least 0"),
        ("--lr=-1", "a finite number of at least 0, at most 1"),
        ("--lr=1e38", "a finite number of at least 0, at most 1"),
        ("--grad-clip=0", "a finite number above 0"),
        ("--dual-clip=0.5", "a finite number of at least 1"),
        ("--clip=x", "'x' is no number"),
        ("--budget-tokens=inf", "a finite number"),
        ("--set=engine.threads=1", "goes with --spawn alone"),
    ],
)
def test_numbers_out_of_range_are_refused(flag, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        rl.options(["--model=m", "--out=o", flag])
    said = capsys.readouterr().err
    assert f"argument {flag.partition('=')[0]}" in said and words in said


@pytest.mark.parametrize(
    "env, split, least, words",
    [
        ("chess", "train", 1, "--env: the daemon has no environment 'chess': one of household"),
        ("client", "train", 1, "--env: the daemon has no environment 'client'"),
        ("household", "test", 1, "--split: household has no split 'test': one of l0, l1, l2, train"),
        ("household", "l0", 2001, "--tasks: household/l0 has 2000 tasks, not 2001: use fewer"),
    ],
)
def test_tasks_that_are_not_there(env, split, least, words, program):
    with pytest.raises(Refused, match=words):
        Daemon(program.address).tasks(env, split, least)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"split": "test"}, "--split: household has no split 'test'"),
        ({"env": "chess"}, "--env: the daemon has no environment 'chess'"),
        ({"eval_every": 1, "eval_split": "l0,test"}, "--eval-split: household has no split 'test'"),
        (
            {"eval_every": 1, "eval_tasks": 2001},
            "--eval-tasks: household/l0 has 2000 tasks, not 2001: use fewer, or another --eval-split",
        ),
    ],
)
def test_tasks_are_looked_up_before_the_daemon_is_moved(changes, words, program, cold, tmp_path):
    def served() -> str:
        return Daemon(program.address).call("/v1/engines")[0]["policy_version"]

    def fails() -> None:
        with pytest.raises(Refused, match=words):
            rl.train(options(cold, tmp_path, program.address, **changes))

    before = served()
    assert ended(forked(fails)) == 0
    assert served() == before


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


DAMAGED = {  # what is done to the folder of a run that has done a step, and what is said then
    "state.json is damaged": lambda out: cut(out / "state.json"),
    "state.json is damaged .*of no run": lambda out: (out / "state.json").write_text('{"step": 1, "options": {}}'),
    "metrics.jsonl: line 1 is no line of metrics": lambda out: (out / "metrics.jsonl").write_text(
        '{"step"\n{"step": 0}\n'
    ),
    "optimizer.pt of this run is gone": lambda out: (out / "step-1" / "optimizer.pt").unlink(),
    "step-1/policy.gguf and .* is gone": lambda out: runs.shutil.rmtree(out / "step-1"),
    "optimizer.pt is damaged": lambda out: cut(out / "step-1" / "optimizer.pt"),
}


@pytest.mark.parametrize("words", DAMAGED)
def test_damaged_runs_are_refused(words, cold, tmp_path):
    def take_up() -> None:
        run = runs.Run(vars(options(cold, tmp_path, "")))
        model, tokenizer = run.load()
        optimizer = torch.optim.AdamW(model.parameters())
        run.restore(optimizer)
        run.save_policy(model, tokenizer, optimizer, 1)
        run.commit({"step": 1})
        run.lock.close()

    take_up()
    DAMAGED[words](tmp_path)
    with pytest.raises(SystemExit, match=words):
        take_up()


def test_a_line_of_metrics_that_was_cut_off_goes(cold, tmp_path):
    o = vars(options(cold, tmp_path, ""))
    run = runs.Run(o)
    run.write({"eval": "l0", "success": 0.5})
    run.commit({"step": 1})
    run.write({"loss": 1})
    cut(tmp_path / "metrics.jsonl")
    run.lock.close()
    runs.Run(o)
    assert [x["step"] for x in metrics(tmp_path)] == [0]


def test_a_full_disk(cold, tmp_path):
    run = runs.Run(vars(options(cold, tmp_path, "")))

    def fills() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        for call in (lambda: run.save_policy(*run.load(), None, 1), lambda: run.write({"text": "x" * 20_000})):
            with pytest.raises(
                SystemExit, match=f"cannot write {tmp_path}/.*: make room|cannot write {tmp_path}/.*; make room"
            ):
                call()

    assert ended(forked(fills)) == 0
    assert state(tmp_path)["step"] == 0


def test_an_out_that_is_a_file(cold):
    with pytest.raises(SystemExit, match="--out: .*: name a folder"):
        runs.Run(vars(options(cold, cold / "config.json", "")))


@pytest.mark.parametrize(
    "note",
    ["", "{", "[]", '{"address": "http://127.0.0.1:9", "pid": -1}', '{"address": "http://127.0.0.1:9", "pid": 1e99}'],
)
def test_a_program_that_is_none(note, tmp_path):
    (tmp_path / "daemon.json").write_text(note)
    with pytest.raises(SystemExit, match=f"--spawn {tmp_path}: .*: name the program sparkd"):
        Spawned(tmp_path, str(tmp_path), tmp_path, [])


@pytest.mark.parametrize(
    "address", ["", "nonsense", "127.0.0.1:8787", "ftp://x", "http://", "http://a b", "http://a/?b"]
)
def test_addresses_that_are_none(address):
    with pytest.raises(Refused, match="--sparkd: .* is no address"):
        Daemon(address).call("/v1/info")


def test_another_server_and_another_token(program, monkeypatch):
    with pytest.raises(Refused, match="is no sparkd"):
        objects(b"<html>", "http://x")
    for body in (b"<html>", b"[]", b'{"error": {"message": "no"}}'):
        answer = urllib.error.HTTPError("http://x/v1/info", 404, "Not Found", {}, io.BytesIO(body))
        assert (
            str(Refused(refusal(answer)))
            == "sparkd: --sparkd: http://x/v1/info: HTTP Error 404: Not Found: name the address that sparkd serve tells"
        )
    answer = urllib.error.HTTPError(
        "http://x/v1/info", 401, "Unauthorized", {}, io.BytesIO(b'{"message": "wrong", "remedy": "x"}')
    )
    assert str(Refused(refusal(answer))) == "sparkd: wrong: set SPARKD_API_TOKEN to the daemon's api.token"
    monkeypatch.setenv("SPARKD_API_TOKEN", "a\nb")
    with pytest.raises(Refused, match="SPARKD_API_TOKEN"):
        Daemon(program.address)
