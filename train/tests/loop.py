"""A run of rl.py on a real daemon with a tiny policy: what its tests share."""

import json
from pathlib import Path

import rl

SMALL = {
    "steps": 2,
    "tasks": 3,
    "roots": 2,
    "leaves": 4,
    "max-steps": 3,
    "max-tokens": 24,
    "threads": 1,
    "policy": "full",
    "lr": 0.003,
}


def options(cold: Path, out: Path, address: str, **changes):
    given = (
        SMALL | {"model": cold, "out": out, "sparkd": address} | {k.replace("_", "-"): v for k, v in changes.items()}
    )
    return rl.options([f"--{k}={v}" for k, v in given.items()])


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def state(out: Path) -> dict:
    return json.loads((out / "state.json").read_text())
