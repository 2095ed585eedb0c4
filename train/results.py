"""Runs of a reproduction → figures: what each method reached, at equal cost, with intervals.

All intervals are of 95 %. Over several seeds they are bootstrapped over seeds and tasks; for one seed
success has Wilson's interval and a difference is bootstrapped over tasks alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import curves
from evaluate import wilson

DRAWS = 4000
COSTS = ("total_generated_tokens", "total_env_steps", "total_seconds")


@dataclass(frozen=True)
class Result:
    """A finished run: its metrics, and its evaluations by split in order of steps."""

    method: str
    seed: int
    lines: list[dict]
    evaluations: dict[str, list[dict]]

    def total(self, name: str) -> float:
        """The sum of a figure over all lines that have it."""
        return sum(x.get(name) or 0 for x in self.lines)

    def before_last_step(self) -> int:
        """Tokens that had been generated when the last step began: below the budget that ended the run."""
        steps = [x["generated_tokens"] for x in self.lines if "loss" in x]
        return sum(steps[:-1])

    def at(self, split: str, cost: str, value: float) -> float:
        """Success when the run had spent so much, between two evaluations on the line through them."""
        points = self.evaluations[split]
        return float(np.interp(value, [p[cost] for p in points], [p["success"] for p in points]))


def read(folder: Path, method: str, seed: int, tokens: int = 0) -> Result | None:
    """The run in a folder, None where it is not finished or has generated fewer tokens. Ends the
    program where a file is damaged."""
    state = folder / "state.json"
    try:
        saved = json.loads(state.read_text()) if state.exists() else {"done": False}
        if not saved["done"] or saved["generated_tokens"] < tokens:
            return None
        lines = curves.read(folder / "metrics.jsonl")
    except (ValueError, KeyError) as error:
        raise SystemExit(
            f"{folder} has no run that can be read ({error}): mend the file, or delete the folder to run it anew"
        ) from None
    splits = dict.fromkeys(x["eval"] for x in lines if "eval" in x)
    return Result(method, seed, lines, {s: [x for x in lines if x.get("eval") == s] for s in splits})


def rates(runs: list[Result], split: str, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Successes and trials of an evaluation (0: the first, -1: the last), both (runs, tasks), of the
    tasks that every run has played."""
    counts = [r.evaluations[split][which]["tasks"] for r in runs]
    tasks = sorted(set.intersection(*(set(c) for c in counts)))
    both = np.array([[c[t] for t in tasks] for c in counts], dtype=float)
    return both[..., 0], both[..., 1]


def resampled(wins: np.ndarray, trials: np.ndarray, runs: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """Mean success of every draw of runs (draws, runs) and tasks (draws, tasks)."""
    rate = wins / trials
    return rate[runs[:, :, None], tasks[:, None, :]].mean((1, 2))


def draws(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.integers(size, size=(DRAWS, size))


def quantiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def success(runs: list[Result], split: str, which: int = -1) -> tuple[float, float, float]:
    """Mean success of a method's runs on a split, and its interval."""
    wins, trials = rates(runs, split, which)
    mean = float((wins / trials).mean())
    if len(runs) == 1:
        return mean, *wilson(int(wins.sum()), int(trials.sum()))
    rng = np.random.default_rng(0)
    return mean, *quantiles(resampled(wins, trials, draws(rng, len(runs)), draws(rng, wins.shape[1])))


def difference(a: list[Result], b: list[Result], split: str) -> tuple[float, float, float]:
    """Success of a minus that of b at the end, on the same tasks, and its interval."""
    (wa, ta), (wb, tb) = rates(a, split, -1), rates(b, split, -1)
    rng = np.random.default_rng(0)
    tasks = draws(rng, wa.shape[1])
    spread = resampled(wa, ta, draws(rng, len(a)), tasks) - resampled(wb, tb, draws(rng, len(b)), tasks)
    return float((wa / ta).mean() - (wb / tb).mean()), *quantiles(spread)


def gain(runs: list[Result], split: str) -> tuple[float, float, float]:
    """Success of a method's runs at the end minus that at their beginning, task by task, and its interval."""
    (w0, t0), (w1, t1) = rates(runs, split, 0), rates(runs, split, -1)
    rng = np.random.default_rng(0)
    seeds, tasks = draws(rng, len(runs)), draws(rng, w1.shape[1])
    spread = resampled(w1, t1, seeds, tasks) - resampled(w0, t0, seeds, tasks)
    return float((w1 / t1).mean() - (w0 / t0).mean()), *quantiles(spread)


def reached(runs: list[Result], split: str, cost: str, value: float) -> float:
    """Mean success of a method's runs when each had spent so much."""
    return float(np.mean([r.at(split, cost, value) for r in runs]))


def equal(results: list[Result], cost: str) -> float:
    """The most that every run has spent of a cost."""
    return min(r.evaluations[s][-1][cost] for r in results for s in list(r.evaluations)[:1])
