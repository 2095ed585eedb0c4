"""metrics.jsonl of a run → curves.svg.

python3 train/curves.py out/rl
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
    """The lines of a metrics file; none if there is no file. A last line that is cut off, by a kill, is
    none. Raises ValueError if another one is no line of metrics."""
    lines = path.read_text(errors="replace").splitlines(keepends=True) if path.exists() else []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
            found[-1]["step"]
        except (ValueError, TypeError, KeyError):
            if number == len(lines) and not line.endswith("\n"):
                return found
            raise ValueError(f"{path}: line {number} is no line of metrics: delete it") from None
    return found


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
    try:
        lines = read(run / "metrics.jsonl")
        if not any("success" in line for line in lines):
            raise ValueError(f"{run} has no metrics of rl.py: name the folder that was its --out")
        draw(lines, run / "curves.svg")
    except (ValueError, OSError) as error:
        raise SystemExit(f"curves: {error}") from None
    print(run / "curves.svg")


if __name__ == "__main__":
    main()
