"""The folder of a training run: its policies, its metrics, and the state it goes on from."""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path

import torch

import curves
import model as policy
import to_gguf

FREE = {"out", "steps", "budget_tokens", "sparkd", "spawn", "set", "threads", "batch_tokens", "keep"}  # may change on the way


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
        self.options = {k: str(v) for k, v in options.items() if k not in FREE}
        self.out.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.out / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another trainer works in {self.out}: let it end, or choose another --out") from None
        if (self.out / "state.json").exists():
            self.state = json.loads((self.out / "state.json").read_text())
            if changed := [k for k, v in self.options.items() if self.state["options"].get(k) != v]:
                raise SystemExit(f"{self.out} has a run with another {', '.join(changed)}: give the same, or another --out")
        else:
            self.state = {"run": f"rl-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(3).hex()}", "step": 0, "done": False}
            self.state |= {"generated_tokens": 0, "env_steps": 0, "seconds": 0.0, "options": self.options}
            self.save_policy(*policy.load(options["model"]), None, 0)
            self.commit({})
        lines = [x for x in curves.read(self.out / "metrics.jsonl") if x["step"] < self.step]
        (self.out / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))

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
        shutil.rmtree(new, ignore_errors=True)
        policy.save(model, tokenizer, new)
        to_gguf.write(model, tokenizer, new / "policy.gguf", f"{self.state['run']}.{step}", half=False)
        if optimizer:
            torch.save(optimizer.state_dict(), new / "optimizer.pt")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)

    def write(self, line: dict) -> None:
        """Appends a line of metrics, with what the run has spent so far, and prints its numbers."""
        line = {"step": self.step} | line | {f"total_{k}": self.state[k] for k in ("generated_tokens", "env_steps", "seconds")}
        with open(self.out / "metrics.jsonl", "a") as lines:
            lines.write(json.dumps(line) + "\n")
        shown = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items() if k != "tasks"}
        print(json.dumps(shown), flush=True)

    def commit(self, changes: dict) -> None:
        """Moves the run to its next state and drops the policy that has become too old."""
        self.state |= changes
        new = self.out / "state.new"
        new.write_text(json.dumps(self.state, indent=1))
        new.replace(self.out / "state.json")
        if self.keep:
            shutil.rmtree(self.out / f"step-{self.step - self.keep}", ignore_errors=True)
