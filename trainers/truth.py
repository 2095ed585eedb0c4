"""What the fixed trees hold, in the plainest form: the truth that every format is held against.

The fixture is a folder that `go run ./export/fixture` wrote; its format `rows` is
checked in Go, token by token, against the trees. A Sequence is what a trajectory trains:
its rows are joined as long as a prompt begins with all that came before it. In the append
context that makes one sequence of a trajectory, in the window context one of every step.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


if "SPARKD_FIXTURE" not in os.environ:
    raise SystemExit("SPARKD_FIXTURE has to name the folder of the fixture; make test-trainers does all of it")
FOLDER = Path(os.environ["SPARKD_FIXTURE"]).resolve()


def lines(format: str, dedupe: str = "copies") -> list[dict]:
    with open(FOLDER / ("" if dedupe == "copies" else dedupe) / f"{format}.jsonl") as f:
        return [json.loads(line) for line in f]


@dataclass
class Sequence:
    """One token sequence; all lists have one item a token."""

    uid: str
    trajectory: str
    reward: float  # of the trajectory, in the environment's unit
    won: bool
    tokens: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)  # 1: sampled by the model
    logprobs: list[float] = field(default_factory=list)  # 0.0 where the mask is 0
    advantages: list[float] = field(default_factory=list)  # 0.0 where the mask is 0
    steps: int = 0

    def take(self, row: dict) -> None:
        context = row["prompt_ids"][len(self.tokens) :]
        n, sampled = len(context), len(row["response_ids"])
        self.tokens += context + row["response_ids"]
        self.mask += [0] * n + [1] * sampled
        self.logprobs += [0.0] * n + row["logprobs"]
        self.advantages += [0.0] * n + [row["advantage"]] * sampled
        self.steps += 1

    def prompt(self) -> int:
        """How many tokens stand before the first sampled one."""
        return self.mask.index(1)


def sequences(uid: str | None = None) -> list[Sequence]:
    """All sequences, or those of one group, in the order of the file."""
    made: list[Sequence] = []
    for row in lines("rows"):
        if uid not in (None, row["uid"]):
            continue
        last = made[-1] if made else None
        if not last or last.trajectory != row["traj_uid"] or row["prompt_ids"][: len(last.tokens)] != last.tokens:
            made.append(Sequence(row["uid"], row["traj_uid"], row["episode_reward"], row["won"] == 1))
        made[-1].take(row)
    return made
