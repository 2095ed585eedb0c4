"""The closed loop with a real daemon and a tiny policy: figures, kills, temperatures.

    python3 -m pytest train/tests/test_rl.py      # needs bin/sparkd
"""

import io
import json
import os
import resource
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

import batch
import rl
import run as runs
from daemon import Daemon, Refused, Spawned, objects, refusal
from daemons import SETTINGS, SPARKD, Program, ended, forked, tiny

torch.set_num_threads(1)

# Nats. The engine keeps keys and values in float16, else both compute in float32. Measured: at most 0.0003 with
# this policy, 0.0114 over 13,000 tokens with one of the bundled size (99 % of them below 0.0015).
TOLERANCE = 0.003

SMALL = {"steps": 2, "tasks": 3, "roots": 2, "leaves": 4, "max-steps": 3, "max-tokens": 24, "threads": 1, "policy": "full", "lr": 0.003}


@pytest.fixture(scope="module")
def cold(tmp_path_factory) -> Path:
    return tiny(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def program(tmp_path_factory, cold):
    program = Program(tmp_path_factory.mktemp("daemon") / "data", cold / "policy.gguf")
    program.start()
    yield program
    program.kill()


def options(cold: Path, out: Path, address: str, **changes):
    given = SMALL | {"model": cold, "out": out, "sparkd": address} | {k.replace("_", "-"): v for k, v in changes.items()}
    return rl.options([f"--{k}={v}" for k, v in given.items()])


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def state(out: Path) -> dict:
    return json.loads((out / "state.json").read_text())


def train(o) -> None:
    assert ended(forked(rl.train, o)) == 0


def test_two_steps(program, cold, tmp_path):
    o = options(cold, tmp_path, program.address, eval_every=2, eval_tasks=2)
    train(o)
    lines = metrics(tmp_path)
    assert [(x["step"], x.get("eval")) for x in lines] == [(0, "l0"), (0, None), (1, None), (2, "l0")]
    for x in (x for x in lines if "loss" in x):
        assert x["logprob_gap"]["max"] < TOLERANCE
        assert abs(x["ratio"]["min"] - 1) < TOLERANCE > abs(x["ratio"]["max"] - 1)
        assert x["other_version_tokens"] == 0 and x["trained_tokens"] == x["generated_tokens"] > 0
        assert x["leaves"] == 12 and x["forks"] == 6
    assert lines[1]["kl"] < lines[2]["kl"], "the policy moves away from the first"
    assert lines[-1]["total_generated_tokens"] == sum(x["generated_tokens"] for x in lines if "loss" in x)
    assert "<svg" in (tmp_path / "curves.svg").read_text()
    daemon, name = Daemon(program.address, patience=5), state(tmp_path)["run"]
    assert daemon.call("/v1/engines")[0]["policy_version"] == f"{name}.2"
    for step in (0, 1):
        trees = daemon.trees(f"{name}.{step}.train", "spark-rows")
        assert {n["policy_version"] for t in trees for n in t["nodes"][1:]} == {f"{name}.{step}"}


def deadly(target: object, name: str, call: int, before: bool = True):
    """Makes the call-th call of a function the end of its process, with SIGKILL."""
    whole, count = getattr(target, name), [0]

    def function(*arguments, **named):
        count[0] += 1
        if count[0] == call and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments, **named)
        if count[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(target, name, function)


PHASES = {  # where the trainer dies: owner and name of a function, which call, before it or behind it
    "the rollout is asked for": (Daemon, "grow", 1, True),
    "the rollout has grown": (Daemon, "trees", 1, True),
    "between two optimiser steps": (torch.optim.AdamW, "step", 2, False),
    "the policy is written in part": (runs.to_gguf, "write", 1, False),
    "metrics are written, the state is not": (runs.Run, "write", 1, False),
    "the state is written, the engine has the old weights": (runs.Run, "commit", 1, False),
    "the engine has the new weights": (Daemon, "serve", 3, False),
}


@pytest.mark.parametrize("phase", PHASES)
def test_killed_trainer(phase, program, cold, tmp_path):
    o = options(cold, tmp_path, program.address)
    runs.Run(vars(o))  # begins the run, so that calls count from its first step on
    target, name, call, before = PHASES[phase]

    def dies():
        deadly(target, name, call, before)
        rl.train(o)

    assert ended(forked(dies)) == -signal.SIGKILL
    ready = tmp_path / "step-1" / "model.safetensors"
    written = ready.read_bytes() if ready.exists() else None
    train(o)
    assert state(tmp_path)["done"] and [x["step"] for x in metrics(tmp_path)] == [0, 1]
    assert written in (None, ready.read_bytes()), "a step that is done again gives the same policy"
    pages = Daemon(program.address).call("/v1/rollouts?limit=1000")[0]["items"]
    mine = [r["id"] for r in pages if r["id"].startswith(state(tmp_path)["run"])]
    assert sorted(mine) == [f"{state(tmp_path)['run']}.{i}.train" for i in (0, 1)], "no rollout is asked for twice"


def train_and_kill_the_daemon(o, pid: int | None = None) -> None:
    """Trains; kills the daemon when the second step asks again for its rollout, which grows."""
    whole, asked = Daemon.call, []

    def call(self, route, body=None, timeout=60):
        answer = whole(self, route, body, timeout)
        if body and str(body.get("id")).endswith(".1.train"):
            asked.append(answer[0]["state"])
            if len(asked) == 2:
                os.kill(pid or self.pid, signal.SIGKILL)
        return answer

    Daemon.call = call
    rl.train(o)


LONG = {"tasks": 8, "max_steps": 12}  # so that the rollout still grows then


def test_killed_daemon(cold, tmp_path):
    program = Program(tmp_path / "data", cold / "policy.gguf")
    program.start()
    out, daemon = tmp_path / "run", Daemon(program.address)
    trainer = forked(train_and_kill_the_daemon, options(cold, out, program.address, **LONG), program.process.pid)
    try:
        program.process.wait(60)
        program.start()
        assert ended(trainer) == 0
        name = state(out)["run"]
        assert [x["step"] for x in metrics(out)] == [0, 1]
        assert metrics(out)[1]["logprob_gap"]["max"] < TOLERANCE
        assert daemon.call("/v1/engines")[0]["policy_version"] == f"{name}.2", "the new daemon has the current weights"
        trees = daemon.trees(f"{name}.1.train", "grpo")
        others = sum(sum(n["mask"]) for t in trees for n in t["nodes"][1:] if n["policy_version"] != f"{name}.1")
        assert metrics(out)[1]["other_version_tokens"] == others, "what it drew before it had them is counted"
    finally:
        trainer.kill()
        program.kill()


def test_spawned_daemon(program, cold, tmp_path):  # program: skips where there is none
    o = options(cold, tmp_path, "", spawn=SPARKD, **LONG)
    o.set = SETTINGS
    assert ended(forked(train_and_kill_the_daemon, o)) == 0
    assert [x["step"] for x in metrics(tmp_path)] == [0, 1]
    assert not (tmp_path / "daemon.json").exists(), "the daemon of a run that is done has been ended"


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
        ({"eval_every": 1, "eval_tasks": 2001}, "--eval-tasks: household/l0 has 2000 tasks, not 2001: use fewer, or another --eval-split"),
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
    "metrics.jsonl: line 1 is no line of metrics": lambda out: (out / "metrics.jsonl").write_text('{"step"\n{"step": 0}\n'),
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
            with pytest.raises(SystemExit, match=f"cannot write {tmp_path}/.*: make room|cannot write {tmp_path}/.*; make room"):
                call()

    assert ended(forked(fills)) == 0
    assert state(tmp_path)["step"] == 0


def test_an_out_that_is_a_file(cold):
    with pytest.raises(SystemExit, match="--out: .*: name a folder"):
        runs.Run(vars(options(cold, cold / "config.json", "")))


@pytest.mark.parametrize("note", ["", "{", "[]", '{"address": "http://127.0.0.1:9", "pid": -1}', '{"address": "http://127.0.0.1:9", "pid": 1e99}'])
def test_a_program_that_is_none(note, tmp_path):
    (tmp_path / "daemon.json").write_text(note)
    with pytest.raises(SystemExit, match=f"--spawn {tmp_path}: .*: name the program sparkd"):
        Spawned(tmp_path, str(tmp_path), tmp_path, [])


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:8787", "ftp://x", "http://", "http://a b", "http://a/?b"])
def test_addresses_that_are_none(address):
    with pytest.raises(Refused, match="--sparkd: .* is no address"):
        Daemon(address).call("/v1/info")


def test_another_server_and_another_token(program, monkeypatch):
    with pytest.raises(Refused, match="is no sparkd"):
        objects(b"<html>", "http://x")
    for body in (b"<html>", b"[]", b'{"error": {"message": "no"}}'):
        answer = urllib.error.HTTPError("http://x/v1/info", 404, "Not Found", {}, io.BytesIO(body))
        assert str(Refused(refusal(answer))) == "sparkd: --sparkd: http://x/v1/info: HTTP Error 404: Not Found: name the address that sparkd serve tells"
    answer = urllib.error.HTTPError("http://x/v1/info", 401, "Unauthorized", {}, io.BytesIO(b'{"message": "wrong", "remedy": "x"}'))
    assert str(Refused(refusal(answer))) == "sparkd: wrong: set SPARKD_API_TOKEN to the daemon's api.token"
    monkeypatch.setenv("SPARKD_API_TOKEN", "a\nb")
    with pytest.raises(Refused, match="SPARKD_API_TOKEN"):
        Daemon(program.address)


@pytest.mark.parametrize("lines", [[], [{"nodes": [], "leaves": []}]])
def test_a_rollout_without_trajectories_is_no_success_of_0(lines, monkeypatch):
    monkeypatch.setattr(Daemon, "call", lambda *_, **__: lines)
    with pytest.raises(Refused, match="no trajectory of rollout r ended: all of its trees failed: see the daemon's log"):
        Daemon("http://x").trees("r", "grpo")


def test_two_trainers_of_one_daemon(program, cold):
    one, other = Daemon(program.address), Daemon(program.address)
    one.serve(cold / "policy.gguf", "one.0")
    one.serve(cold / "policy.gguf", "one.1")
    other.serve(cold / "policy.gguf", "other.0")
    with pytest.raises(Refused, match="somebody else moved the daemon at .* to the weights other.0: one trainer per daemon"):
        one.serve(cold / "policy.gguf", "one.1")


def test_a_rollout_that_failed_is_asked_for_anew(program, cold):
    daemon = Daemon(program.address)
    daemon.serve(cold / "policy.gguf", "again")
    spec = {"id": "gone", "tasks": {"count": 4}, "budget": {"leaves": 4}, "sampling": {"max_tokens": 10}, "max_steps": 4}
    daemon.call("/v1/rollouts", spec)
    with urllib.request.urlopen(urllib.request.Request(f"{program.address}/v1/rollouts/gone", method="DELETE")) as answer:
        assert json.loads(answer.read())["state"] == "canceled"
    assert daemon.grow(spec, cold / "policy.gguf", "again")["id"] == "gone.again"


def test_nobody_answers():
    with pytest.raises(ConnectionError, match="sparkd serve"):
        Daemon("http://127.0.0.1:9", patience=0).call("/v1/info")


def test_refusals_say_what_to_do(program):
    with pytest.raises(Refused, match=r"invalid: policy.roots: M = 9 .*: use at most"):
        Daemon(program.address).call("/v1/rollouts", {"policy": {"roots": 9}})


def rollout(program: Program, name: str, **changes) -> list[dict]:
    spec = {
        "id": name,
        "tasks": {"split": "train4", "count": 4},
        "policy": {"name": "full", "roots": 2},
        "budget": {"leaves": 5},
        "sampling": {"max_tokens": 10} | changes,
        "max_steps": 4,
    }
    daemon = Daemon(program.address)
    version = daemon.call("/v1/engines")[0]["policy_version"]
    daemon.grow(spec, Path("unused"), version)
    return daemon.trees(name, "grpo"), version


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_temperature(temperature, program, cold):
    """The trainer's logprobs are those of the distribution that was sampled from."""
    Daemon(program.address).serve(cold / "policy.gguf", "cold")
    trees, version = rollout(program, f"temperature-{temperature}", temperature=temperature)
    model = rl.policy.load(cold)[0]
    for group in batch.micro(batch.sequences(trees, version), 2000):
        drawn = batch.pad(group, "logprobs")[batch.pad(group, "mask", False)]
        with torch.no_grad():
            assert (rl.logprobs(model, group, temperature)[0] - drawn).abs().max() < TOLERANCE
            assert (rl.logprobs(model, group, temperature * 1.1)[0] - drawn).abs().max() > 5 * TOLERANCE
