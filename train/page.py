"""The figures of a reproduction → docs/reproduction.md and its curves. Every sentence that
judges is chosen by the figures."""

import os
import platform
import re
import shlex
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("svg")  # before pyplot: no display is needed
import matplotlib.pyplot as plt
import numpy as np

from results import COSTS, Result, difference, equal, gain, reached, success

BEGIN, END = "<!-- figures: begin, made by train/reproduce.py -->", "<!-- figures: end -->"
NAMES = {"spark": "SPARK", "grpo": "GRPO (chains, M = N)", "random": "fixed probability", "entropy": "entropy (ARPO)"}
COST_NAMES = dict(zip(COSTS, ("generated tokens", "environment steps", "seconds of training"), strict=True))


def figures(finished: list[Result], settings: dict) -> dict:
    """All numbers of the page, from the runs."""
    methods = {m: [r for r in finished if r.method == m] for m in dict.fromkeys(r.method for r in finished)}
    splits = list(finished[0].evaluations)
    others = [m for m in methods if m != "spark"] if "spark" in methods else []
    costs = {cost: equal(finished, cost) for cost in COSTS}
    return {
        "settings": settings | {"splits": splits, "made": time.strftime("%Y-%m-%d"), "machine": machine()},
        "hours": sum(r.total("eval_seconds") + r.lines[-1]["total_seconds"] for r in finished) / 3600,
        "cold_start": {s: success(list({r.seed: r for r in finished}.values()), s, 0) for s in splits},
        "methods": {m: of_method(runs, splits, costs) for m, runs in methods.items()},
        "spark_minus": {m: {s: difference(methods["spark"], methods[m], s) for s in splits} for m in others},
        "equal": costs,
    }


def of_method(runs: list[Result], splits: list[str], costs: dict[str, float]) -> dict:
    """A method's figures, means over its runs."""

    def mean(values) -> float:
        return float(np.mean(list(values)))

    return {
        "success": {s: success(runs, s) for s in splits},
        "gain": {s: gain(runs, s) for s in splits},
        "at_equal": {cost: {s: reached(runs, s, cost, value) for s in splits} for cost, value in costs.items()},
        "steps": mean(r.lines[-1]["step"] for r in runs),
        "tokens": mean(r.total("generated_tokens") for r in runs),
        "env_steps": mean(r.total("env_steps") for r in runs),
        "hours": mean(r.lines[-1]["total_seconds"] / 3600 for r in runs),
        "tokens_per_trajectory": sum(r.total("generated_tokens") for r in runs) / sum(r.total("leaves") for r in runs),
        "trajectories": mean(r.total("leaves") for r in runs),
        "forks_per_trajectory": sum(r.total("forks") for r in runs) / sum(r.total("leaves") for r in runs),
        "mixed_trees": mean(x["mixed_trees"] for r in runs for x in r.lines if "loss" in x),
    }


def machine() -> str:
    """Processor, cores and memory in words."""
    info = Path("/proc/cpuinfo")
    names = (
        [x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        if info.exists()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"


def percent(x: float) -> str:
    return f"{100 * x:.1f}"


def interval(x: tuple[float, float, float], sign: str = "") -> str:
    return f"{100 * x[0]:{sign}.1f} [{100 * x[1]:{sign}.1f}, {100 * x[2]:{sign}.1f}]".replace("-", "−")


def row(*cells) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def prose(text: str) -> str:
    """A paragraph of the page, in lines of at most 118 columns; code stays whole."""
    whole = re.sub(r"`[^`]*`", lambda m: m.group().replace(" ", "\0"), text)
    return textwrap.fill(whole, 118, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def rule(first: str, *cells) -> list[str]:
    return [row(first, *cells), row("---", *["--:"] * len(cells))]


def verdict(x: tuple[float, float, float]) -> str:
    """What an interval of a difference says."""
    return (
        "holds" if x[1] > 0 else "does not hold: the other is better" if x[2] < 0 else "undecided: the interval holds 0"
    )


def counts(by_split: Iterable[dict]) -> tuple[int, int, int]:
    """How many differences lie above 0, below it, and cannot be told from it."""
    all_of_them = [x for splits in by_split for x in splits.values()]
    above, below = sum(x[1] > 0 for x in all_of_them), sum(x[2] < 0 for x in all_of_them)
    return above, below, len(all_of_them) - above - below


def table(f: dict) -> list[str]:
    """The main table: success on every split, at the end of equal generated tokens."""
    splits = f["settings"]["splits"]
    lines = rule("method", *(f"{s} success %" for s in splits), "steps of rl.py", "trajectories")
    cold = f["cold_start"]
    lines.append(row("cold start", *(interval(cold[s]) for s in splits), 0, 0))
    for m, x in f["methods"].items():
        shown = (interval(x["success"][s]) for s in splits)
        lines.append(row(NAMES[m], *shown, f"{x['steps']:.0f}", f"{x['trajectories']:,.0f}"))
    return lines


def gains(f: dict) -> list[str]:
    """What training changed, beside the same tasks played by the same seeds before it."""
    lines = rule("trained minus cold start", *(f"{s}, points" for s in f["settings"]["splits"]))
    for m, x in f["methods"].items():
        lines.append(row(NAMES[m], *(interval(g, "+") for g in x["gain"].values())))
    more, fewer, rest = counts(x["gain"] for x in f["methods"].values())
    told = (
        f"Of {more + fewer + rest} changes {more} are gains, {fewer} are losses, and {rest} cannot be told from none."
    )
    return lines if f["settings"]["quick"] else [*lines, "", told]


def costs(f: dict) -> list[str]:
    """What the runs cost, and success where all have spent the same."""
    splits = f["settings"]["splits"]
    lines = rule(
        "method",
        "generated tokens",
        "environment steps",
        "hours of rollouts and training",
        "tokens a trajectory",
        "forks a trajectory",
        "trees with mixed outcomes %",
    )
    for m, x in f["methods"].items():
        numbers = (
            f"{x['tokens']:,.0f}",
            f"{x['env_steps']:,.0f}",
            f"{x['hours']:.2f}",
            f"{x['tokens_per_trajectory']:.0f}",
        )
        lines.append(row(NAMES[m], *numbers, f"{x['forks_per_trajectory']:.2f}", percent(x["mixed_trees"])))
    lines += [
        "",
        prose(
            "Success % where every run had spent the same, between evaluations on the line through them; "
            "a single evaluation has its noise:"
        ),
        "",
    ]
    lines += rule("method", *(f"{s} at {v:,.0f} {COST_NAMES[c]}" for c, v in f["equal"].items() for s in splits))
    for m, x in f["methods"].items():
        lines.append(row(NAMES[m], *(percent(x["at_equal"][c][s]) for c in f["equal"] for s in splits)))
    return lines


def claims(f: dict) -> list[str]:
    """The paper's claims, each with what came out here; a quick run judges none."""
    quick = f["settings"]["quick"]
    lines = rule("SPARK against", *(f"{s}, points" for s in f["settings"]["splits"]))
    for m, by_split in f["spark_minus"].items():
        lines.append(
            row(NAMES[m], *(interval(x, "+") + ("" if quick else f": {verdict(x)}") for x in by_split.values()))
        )
    if "grpo" in f["methods"] and "spark" in f["methods"]:
        a, b = (f["methods"][m]["tokens_per_trajectory"] for m in ("spark", "grpo"))
        lines += [
            "",
            prose(
                f"A trajectory of SPARK took {100 * abs(a / b - 1):.1f} % {'fewer' if a < b else 'more'} "
                "generated tokens than one of GRPO (paper, ALFWorld: 6.9 % fewer)."
            ),
        ]
    won, lost, rest = counts(f["spark_minus"].values())
    judged = prose(
        f"Of {won + lost + rest} comparisons SPARK is better in {won}, worse in {lost}, "
        f"and {rest} are undecided at this size."
    )
    lines += ["", "This size shows that everything works, and nothing about the claims." if quick else judged]
    return lines


def plan(s: dict) -> list[str]:
    """The command of these settings, and what it runs."""
    arguments = f" ARGS={shlex.quote(s['arguments'])}" if s["arguments"] else ""
    lines = [
        f"    make reproduce{arguments}",
        "",
        prose(
            f"{s['seeds']} seed{'s' * (s['seeds'] > 1)}, {s['tokens']:,} generated tokens a run, "
            f"{s['tasks']} tasks of `{s['split']}` a step; evaluated every {s['eval_every']} steps on "
            f"{s['eval_tasks']} tasks of each split, {s['eval_samples']} chain{'s' * (s['eval_samples'] > 1)} a task. "
            "Flags of `train/rl.py` for all runs (N is `--leaves`), and for each (M is `--roots`, B `--branch`):"
        ),
        "",
        textwrap.fill(
            " ".join(s["common"]), 118, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        ),
        "",
    ]
    return [*lines, row("method", "flags"), row("---", "---")] + [
        row(NAMES[m], f"`{' '.join(flags)}`") for m, flags in s["flags"].items()
    ]


def made(f: dict) -> list[str]:
    s = f["settings"]
    return [
        prose(
            f"{f['hours']:.1f} hours of runs, evaluations and all, {s['parallel']} at a time, on {s['machine']}; "
            f"{s['made']}."
        )
    ]


def draw(finished: list[Result], path: Path) -> None:
    """Success over generated tokens, a panel a split: the mean over seeds, and between the least and the greatest."""
    splits = list(finished[0].evaluations)
    figure, axes = plt.subplots(
        1, len(splits), figsize=(4 * len(splits), 3.4), layout="constrained", sharey=True, squeeze=False
    )
    most = equal(finished, COSTS[0])
    grid = np.linspace(0, most, 101)
    for axis, split in zip(axes[0], splits, strict=True):
        for m in dict.fromkeys(r.method for r in finished):
            lines = np.array([[r.at(split, COSTS[0], g) for g in grid] for r in finished if r.method == m])
            (drawn,) = axis.plot(grid, 100 * lines.mean(0), label=NAMES[m])
            axis.fill_between(
                grid, 100 * lines.min(0), 100 * lines.max(0), color=drawn.get_color(), alpha=0.15, linewidth=0
            )
        axis.set_title(split)
        axis.set_xlabel("generated tokens")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("success %")
    axes[0, -1].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def write(f: dict, finished: list[Result], template: Path, page: Path) -> None:
    """Puts the figures between the marks of the template, and the curves beside the page."""
    before, _, rest = template.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{template} needs the lines {BEGIN} and {END}")
    svg = page.with_suffix(".svg")
    draw(finished, svg)
    image = [
        "![success over generated tokens](" + svg.name + ")",
        "",
        "Lines are means of the seeds; the shade reaches from the least to the greatest seed, and is no interval.",
    ]
    parts = [plan(f["settings"]), made(f), table(f), gains(f), claims(f) if f["spark_minus"] else [], image, costs(f)]
    page.write_text(before + BEGIN + "\n\n" + "\n\n".join("\n".join(p) for p in parts if p) + "\n\n" + END + after)
    print(f"{page}\n{svg}")
