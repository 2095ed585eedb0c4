"""A tiny policy with fresh weights and real daemons for the tests of the closed loop."""

import os
import signal
import socket
import subprocess
from multiprocessing import Process, get_context
from pathlib import Path

import pytest
import torch

import model as policy
import to_gguf

ROOT = Path(__file__).resolve().parents[2]
SPARKD = Path(os.environ.get("SPARKD", ROOT / "bin" / "sparkd"))
SETTINGS = ["engine.threads=1", "engine.cells=8192", "log.level=warn"]

# What the tiny policy learns: its answers have the right form often, not always.
ROW = [
    (
        "user",
        "You are in the middle of a room. You see a desk 1, a drawer 1 and a shelf 1.\n\n"
        "Your task is to: put a mug in desk.",
    ),
    ("assistant", "<explore>mug?</explore><action>go to desk 1</action>"),
    ("user", "Nothing happens."),
    ("assistant", "<think>go</think><action>look</action>"),
]


def tiny(folder: Path) -> Path:
    """Writes a policy of some 40,000 weights that was trained for a second, with the GGUF beside it."""
    messages = [{"role": role, "content": content} for role, content in ROW]
    tokenizer = policy.build_tokenizer([{"messages": messages}], vocabulary=300, context=1024)
    model = policy.build_model(tokenizer, hidden=32, layers=2, heads=2, ffn=64, context=1024)
    talk = policy.Encoder(tokenizer).conversation(messages)
    ids, answer = torch.tensor([talk.ids]), torch.tensor([talk.answer])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        logits = model(input_ids=ids[:, :-1]).logits[answer[:, 1:]]
        torch.nn.functional.cross_entropy(logits, ids[answer]).backward()
        optimizer.step()
        optimizer.zero_grad()
    policy.save(model, tokenizer, folder)
    to_gguf.write(model, tokenizer, folder / "policy.gguf", "tiny", half=False)
    return folder


class Program:
    """A sparkd process on a port and a folder that stay the same when it is started again."""

    def __init__(self, folder: Path, model: Path):
        if not SPARKD.exists():
            pytest.skip(f"NOT RUN: no program {SPARKD}; run `make build`, or set SPARKD")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.listen = f"127.0.0.1:{free.getsockname()[1]}"
        self.address = f"http://{self.listen}"
        self.folder, self.model, self.process = folder, model, None

    def start(self) -> None:
        options = [f"--set={s}" for s in SETTINGS]
        command = [SPARKD, "serve", "--data", self.folder, "--model", self.model, "--listen", self.listen, *options]
        with open(f"{self.folder}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def forked(function, *arguments) -> Process:
    """Starts a function in a process of its own, which may kill itself."""
    process = get_context("fork").Process(target=function, args=arguments, daemon=True)
    process.start()
    return process


def ended(process: Process, seconds: float = 300) -> int:
    """Waits for a forked process; its exit code, or minus the signal that killed it."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"a process has not ended in {seconds} s")
    return process.exitcode
