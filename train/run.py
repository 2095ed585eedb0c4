"""The folder of a training run: its policies, its metrics, and the state it goes on from."""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

import curves
import model as policy
import to_gguf

FREE = {
    "out",
    "steps",
    "budget_tokens",
    "sparkd",
    "spawn",
    "set",
    "threads",
    "batch_tokens",
    "keep",
}  # may change on the way
BEGIN = {"step": 0, "done": False, "generated_tokens": 0, "env_steps": 0, "seconds": 0.0}  # state of a run that begins


def saved(folder: Path) -> dict:
    """What the state.json of a run says; nothing where there is none."""
    path = folder / "state.json"
    try:
        state = json.loads(path.read_text()) if path.exists() else {}
        if state and not (state["step"] >= 0 and BEGIN.keys() <= state.keys() and isinstance(state["options"], dict)):
            raise ValueError("it is of no run")
    except (ValueError, TypeError, KeyError) as error:
        remedy = f"choose another --out, and as --model the last {folder}/step-N"
        raise SystemExit(f"{path} is damaged ({error}): {remedy}") from None
    return state


def settings(options: dict) -> dict[str, str]:
    """The options that decide about a run, as state.json has them."""
    return {k: str(v) for k, v in options.items() if k not in FREE}


def fingerprint(model: Path) -> str:
    """The weights of a Hugging Face folder in a few letters."""
    whole = hashlib.sha256()
    for path in sorted(Path(model).glob("*.safetensors")):
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def differences(state: dict, options: dict) -> list[str]:
    """The settings in which a run that has a state is another than these options make. A model is the
    same where its weights are; of a run that did not note them, where its path is."""
    now, then = settings(options), state["options"]
    if "weights" in state:
        then = then | {"model": now["model"] if state["weights"] == fingerprint(options["model"]) else None}
    return [k for k, v in now.items() if then.get(k) != v]


def another(folder: Path, names: list[str]) -> SystemExit:
    """What is said where a folder's run has other settings."""
    return SystemExit(f"{folder} has a run with another {', '.join(names)}: give the same, or another --out")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Ends the program with the path where it cannot be written."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have their own for a full disk
        raise SystemExit(
            f"cannot write {path}: {error}; make room, and run the same command again: it goes on where it was"
        ) from None


class Run:
    """state.json says which step is next. It is replaced, atomically, when all else of a step has been
    written: a trainer that is killed anywhere does its step again.

    step-N            the policy that samples in step N: a Hugging Face folder
    step-N/policy.gguf    the same for the engine, in float32, so that it computes as the trainer does
    step-N/optimizer.pt   the optimiser before step N trains
    metrics.jsonl     a line per step and per evaluation
    """

    def __init__(self, options: dict):
        self.out, self.keep = Path(options["out"]), options["keep"]
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.lock = open(self.out / "lock", "w")
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another trainer works in {self.out}: let it end, or choose another --out") from None
        except OSError as error:
            raise SystemExit(f"--out: {error}: name a folder that can be written") from None
        self.state = saved(self.out)
        changed = differences(self.state, options) if self.state else []
        if changed and (self.step > 0 or self.state["done"]):
            raise another(self.out, changed)
        if changed or not self.state:  # a run without a step is begun anew
            model, tokenizer = policy.load(options["model"])
            (self.out / "state.json").unlink(missing_ok=True)
            name = f"rl-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}"
            self.state = BEGIN | {"run": name, "options": settings(options), "weights": fingerprint(options["model"])}
            self.save_policy(model, tokenizer, None, 0)
            self.commit({})
        try:
            lines = [x for x in curves.read(self.out / "metrics.jsonl") if x["step"] < self.step]
        except ValueError as error:
            raise SystemExit(str(error)) from None
        self.replace("metrics.jsonl", "".join(json.dumps(x) + "\n" for x in lines))

    def load(self) -> tuple:
        """The model and the tokenizer of this step."""
        needed = [self.weights, self.folder / "optimizer.pt"] if self.step else [self.weights]
        if lost := [str(p) for p in needed if not p.exists()]:
            raise SystemExit(f"{' and '.join(lost)} of this run is gone: put it back, or begin anew in another --out")
        return policy.load(self.folder)

    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        """Gives the optimiser what it was before this step; the first step has none."""
        saved = self.folder / "optimizer.pt"
        try:
            if self.step:
                optimizer.load_state_dict(torch.load(saved))
        except Exception as error:  # whatever unpickling raises
            raise SystemExit(f"{saved} is damaged ({error}): put it back, or begin anew in another --out") from None

    @property
    def step(self) -> int:
        return self.state["step"]

    @property
    def version(self) -> str:
        """The name of this step's policy in the daemon; no other run uses it."""
        return f"{self.state['run']}.{self.step}"

    @property
    def folder(self) -> Path:
        """The policy that samples in this step."""
        return self.out / f"step-{self.step}"

    @property
    def weights(self) -> Path:
        """The same as GGUF."""
        return self.folder / "policy.gguf"

    def save_policy(self, model, tokenizer, optimizer, step: int) -> None:
        """Writes the policy that samples in a step."""
        new, folder = self.out / "new", self.out / f"step-{step}"
        with writing(new):
            shutil.rmtree(new, ignore_errors=True)
            policy.save(model, tokenizer, new)
            to_gguf.write(model, tokenizer, new / "policy.gguf", f"{self.state['run']}.{step}", half=False)
            if optimizer:
                torch.save(optimizer.state_dict(), new / "optimizer.pt")
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)

    def write(self, line: dict) -> None:
        """Appends a line of metrics, with what the run has spent so far, and prints its numbers."""
        line = (
            {"step": self.step}
            | line
            | {f"total_{k}": self.state[k] for k in ("generated_tokens", "env_steps", "seconds")}
        )
        with writing(self.out / "metrics.jsonl"), open(self.out / "metrics.jsonl", "a") as lines:
            lines.write(json.dumps(line) + "\n")
        shown = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items() if k != "tasks"}
        print(json.dumps(shown), flush=True)

    def commit(self, changes: dict) -> None:
        """Moves the run to its next state and drops the policy that has become too old."""
        self.state |= changes
        self.replace("state.json", json.dumps(self.state, indent=1))
        if self.keep:
            shutil.rmtree(self.out / f"step-{self.step - self.keep}", ignore_errors=True)

    def replace(self, name: str, text: str) -> None:
        """Writes a file so that whoever is killed leaves the old one or the new one."""
        new = self.out / f"{name}.new"
        with writing(new):
            new.write_text(text)
            new.replace(self.out / name)
