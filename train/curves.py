"""metrics.jsonl of a run → curves.svg.

    python train/curves.py out/rl
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")  # before pyplot: no display is needed
import matplotlib.pyplot as plt

PANELS = {
    "success": ("success", "return"),
    "tokens generated a step": ("generated_tokens",),
    "KL to the cold start (nats a token)": ("kl",),
    "entropy (nats a token)": ("entropy",),
    "clipped (share of tokens)": ("clip_fraction",),
    "seconds a step": ("rollout_seconds", "train_seconds", "reload_seconds"),
}


def read(path: Path) -> list[dict]:
    """The lines of a metrics file; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def draw(lines: list[dict], path: Path) -> None:
    """Draws training and evaluation lines over steps."""
    training = [line for line in lines if "loss" in line]
    figure, axes = plt.subplots(2, 3, figsize=(12, 6), layout="constrained")
    for axis, (title, names) in zip(axes.flat, PANELS.items(), strict=True):
        for name in names:
            axis.plot([x["step"] for x in training], [x[name] for x in training], label=name.removesuffix("_seconds"))
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    for split in dict.fromkeys(line["eval"] for line in lines if "eval" in line):
        points = [(x["step"], x["success"]) for x in lines if x.get("eval") == split]
        axes[0, 0].plot(*zip(*points, strict=True), "o-", label=f"evaluation {split}")
    axes[0, 0].legend(fontsize=8)
    axes[1, 2].legend(fontsize=8)
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path, help="folder of the run")
    run = p.parse_args().run
    draw(read(run / "metrics.jsonl"), run / "curves.svg")
    print(run / "curves.svg")


if __name__ == "__main__":
    main()
