"""Plays fixed tasks with the policy that a daemon serves and says how well: success, form of the
answers, how often the policy doubts, and whether its doubt means anything.

    bin/sparkd serve --data out/eval &
    python3 train/evaluate.py --splits l0,l1,l2 --tasks 100

With --spawn the daemon is started for this evaluation alone:

    python3 train/evaluate.py --spawn bin/sparkd --model out/policy.gguf --tokenizer out/policy

The premise of SPARK is that a policy which emits <explore> is about to act under uncertainty. Three
entropies of steps with and without the tag test it: of the step's action, of its whole answer (the
decision may fall in the reasoning), and of the next step's action. Each is summed over the tokens, and
per token; in nats, of the undistorted distribution.
"""

import argparse
import hashlib
import json
import math
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from daemon import Daemon, Refused, Spawned
from flags import real, whole

BUNDLED = Path(__file__).resolve().parent.parent / "bundled" / "hf"
OPEN, CLOSE = "<action>", "</action>"
HASHED_TEXT = (
    "The quick brown fox: 12345 + 67,890.5\n\n\tdef f(x):\n        return x  # naïve 東京 Привет 🙂 \u00a0"
    "<action>go to shelf 1</action> <|im_start|><|im_end|><|endoftext|></s>[INST]"
)


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927); [0, 1] where nothing was tried."""
    if not trials:
        return 0.0, 1.0
    p, n = successes / trials, trials
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n))


def action_tokens(tokens: list[int], decode: Callable[[list[int]], str]) -> list[int]:
    """Positions in an answer of the tokens between its first <action> and the </action> behind it;
    none without the pair. Marks may be tokens of their own or be spelled in several."""
    ends = [len(decode(tokens[:n])) for n in range(len(tokens) + 1)]
    text = decode(tokens)
    begin = text.find(OPEN)
    end = text.find(CLOSE, begin)
    if begin < 0 or end < 0:
        return []
    return [i for i in range(len(tokens)) if ends[i] >= begin + len(OPEN) and ends[i + 1] <= end]


class Mean:
    """Mean of what was added; None where nothing was."""

    def __init__(self):
        self.sum, self.count = 0.0, 0

    def add(self, value: float, count: int = 1) -> None:
        self.sum, self.count = self.sum + value, self.count + count

    def value(self) -> float | None:
        return round(self.sum / self.count, 4) if self.count else None


class Doubt:
    """Entropies of steps with a tag and without it."""

    KINDS = ("action", "answer", "next_action")

    def __init__(self):
        self.step = {(kind, tagged): Mean() for kind in self.KINDS for tagged in (True, False)}
        self.token = {key: Mean() for key in self.step}

    def add(self, kind: str, tagged: bool, entropies: list[float]) -> None:
        if entropies:
            self.step[kind, tagged].add(sum(entropies))
            self.token[kind, tagged].add(sum(entropies), len(entropies))

    def report(self) -> dict:
        return {
            kind: {
                name: {
                    "steps": self.step[kind, tagged].count,
                    "per_step": self.step[kind, tagged].value(),
                    "per_token": self.token[kind, tagged].value(),
                }
                for name, tagged in (("with_tag", True), ("without_tag", False))
            }
            for kind in self.KINDS
        }


def paths(tree: dict) -> list[list[dict]]:
    """The steps of every trajectory of a tree, in order."""
    return [[tree["nodes"][i] for i in leaf["path"][1:]] for leaf in tree["leaves"]]


def summarize(trees: list[dict], tag: str, decode: Callable[[list[int]], str]) -> dict:
    """The figures of trees in which no trajectories share steps (export format tree, with entropies)."""
    leaves = [leaf for tree in trees for leaf in tree["leaves"]]
    won = sum(leaf["outcome"] == "success" for leaf in leaves)
    valid, tagged, admissible, tokens, doubt = Mean(), Mean(), Mean(), Mean(), Doubt()
    for path in (p for tree in trees for p in paths(tree)):
        before: bool | None = None  # was the step before tagged
        for node in path:
            sampled = [i for i, bit in enumerate(node["mask"]) if bit]
            entropies = [node["entropies"][i] for i in sampled] if node["entropies"] else []
            action = (
                [entropies[i] for i in action_tokens([node["tokens"][i] for i in sampled], decode)] if entropies else []
            )
            has = tag in node["tags"]
            valid.add(node["valid"])
            admissible.add(node["admissible"])
            tagged.add(has)
            tokens.add(len(sampled))
            if action:
                doubt.add("action", has, action)
                doubt.add("answer", has, entropies)
                if before is not None:
                    doubt.add("next_action", before, action)
            before = has
    return {
        "trajectories": len(leaves),
        "successes": won,
        "success": round(won / max(1, len(leaves)), 4),
        "success_95": [round(x, 4) for x in wilson(won, len(leaves))],
        "steps": round(valid.count / max(1, len(leaves)), 2),
        "valid": valid.value(),
        "admissible": admissible.value(),
        "tagged": tagged.value(),
        "tokens_per_step": tokens.value(),
        "entropy": doubt.report(),
        "policy_versions": sorted({n["policy_version"] for t in trees for n in t["nodes"][1:]}),
    }


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """What a daemon that has this tokenizer says at /v1/info: sparkd.TokenizerHash in tokenizer.go."""
    whole = hashlib.sha256()
    for control in (False, True):
        tokenizer.encode_special_tokens = not control
        ids = tokenizer.encode(HASHED_TEXT, add_special_tokens=False).ids
        whole.update(f"{str(control).lower()} [{' '.join(map(str, ids))}]\n".encode())
    tokenizer.encode_special_tokens = False
    return whole.hexdigest()[:16]


def decoder(daemon: Daemon, folder: Path) -> Callable[[list[int]], str]:
    """What tokens mean by the tokenizer in a folder, which must be that of the daemon's model."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the class that tokenizers raises
        raise Refused(
            {"field": "--tokenizer", "message": f"{path}: {error}", "remedy": "name the policy's Hugging Face folder"}
        ) from None
    engine = daemon.call("/v1/info")[0]["engine"]
    if engine["tokenizer_hash"] != tokenizer_hash(tokenizer):
        message = f"{path} is not the tokenizer of the daemon's model, {engine['model']}"
        raise Refused(
            {"field": "--tokenizer", "message": message, "remedy": "name the Hugging Face folder of that model"}
        )
    return lambda ids: tokenizer.decode(ids, skip_special_tokens=False)


def play(daemon: Daemon, split: str, o, decode: Callable[[list[int]], str]) -> dict:
    """The figures of one split."""
    began = time.monotonic()
    spec = {
        "id": f"eval-{time.time_ns()}",
        "tasks": {"env": o.env, "split": split, "count": o.tasks},
        "policy": {"name": "linear", "roots": o.samples, "tag": o.tag},
        "budget": {"leaves": o.samples},
        "sampling": {"temperature": o.temperature, "max_tokens": o.max_tokens},
        "max_steps": o.max_steps,
        "seed": o.seed,
    }
    rollout = daemon.call("/v1/rollouts", spec)[0]
    while rollout["state"] in ("queued", "running"):
        time.sleep(0.2)
        rollout = daemon.call(f"/v1/rollouts/{rollout['id']}")[0]
    if rollout["state"] != "done":
        raise Refused(rollout.get("error") or {"message": f"the rollout was {rollout['state']}"})
    seconds = time.monotonic() - began
    figures = summarize(daemon.trees(rollout["id"], "grpo", entropies="true"), o.tag, decode)
    settings = {"env": o.env, "split": split, "tasks": o.tasks, "temperature": o.temperature, "seed": o.seed}
    return settings | figures | {
        "trees_failed": rollout["trees_failed"],
        "seconds": round(seconds, 1),
        "generated_tokens_per_second": round(rollout["stats"]["generated_tokens"] / seconds, 1),
    }  # fmt: skip


def table(lines: list[dict], tag: str) -> str:
    """The figures for people, a column for each split."""

    def number(x, form: str = ".2f") -> str:
        return "–" if x is None else format(x, form)

    def entropy(line: dict, kind: str, unit: str) -> str:
        with_tag, without = line["entropy"][kind]["with_tag"], line["entropy"][kind]["without_tag"]
        return f"{number(with_tag[unit])} / {number(without[unit])}"

    def interval(line: dict) -> str:
        low, high = line["success_95"]
        return f"{line['success']:.1%} [{low:.1%}, {high:.1%}]"

    rows = [
        ("", lambda line: line["split"]),
        ("trajectories", lambda line: str(line["trajectories"])),
        ("tasks that failed", lambda line: str(line["trees_failed"])),
        ("success, 95 %", interval),
        ("answers of valid form", lambda line: number(line["valid"], ".2%")),
        ("actions admissible", lambda line: number(line["admissible"], ".1%")),
        (f"steps with <{tag}>", lambda line: number(line["tagged"], ".1%")),
        ("steps a trajectory", lambda line: number(line["steps"], ".1f")),
        ("tokens a step", lambda line: number(line["tokens_per_step"], ".1f")),
        (f"entropy, nats, with <{tag}> / without:", lambda line: ""),
        ("  action, a step", lambda line: entropy(line, "action", "per_step")),
        ("  action, a token", lambda line: entropy(line, "action", "per_token")),
        ("  answer, a step", lambda line: entropy(line, "answer", "per_step")),
        ("  answer, a token", lambda line: entropy(line, "answer", "per_token")),
        ("  next action, a step", lambda line: entropy(line, "next_action", "per_step")),
        ("  next action, a token", lambda line: entropy(line, "next_action", "per_token")),
        ("seconds", lambda line: number(line["seconds"], ".1f")),
    ]
    cells = [[name, *(cell(line) for line in lines)] for name, cell in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(lines) + 1)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)


def evaluate(o) -> list[dict]:
    """The figures of every split; says on the way what has come out."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = (
            Spawned(Path(folder), o.spawn, o.model or "bundled", o.set) if o.spawn else Daemon(o.sparkd, patience=60)
        )
        try:
            decode, lines = decoder(daemon, o.tokenizer), []
            for split in o.splits.split(","):
                lines.append(line := play(daemon, split, o, decode))
                print(
                    f"{split}: {line['successes']} of {line['trajectories']} succeeded, {line['seconds']} s",
                    file=sys.stderr,
                    flush=True,
                )
            return lines
        finally:
            if o.spawn:
                daemon.close()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--sparkd",
        default="http://127.0.0.1:8787",
        help="address of the daemon (%(default)s); SPARKD_API_TOKEN: its token",
    )
    p.add_argument("--spawn", metavar="PROGRAM", help="start a daemon for this evaluation instead, with this sparkd")
    p.add_argument("--model", help="with --spawn: its policy, a GGUF file (bundled)")
    p.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="with --spawn: a setting of it"
    )
    p.add_argument(
        "--tokenizer", type=Path, default=BUNDLED, help="folder of the policy's tokenizer.json (the bundled policy's)"
    )
    p.add_argument("--env", default="household", help="environment (%(default)s)")
    p.add_argument("--splits", default="l0,l1,l2", help="its splits, with commas (%(default)s)")
    p.add_argument("--tasks", type=whole(1), default=100, help="the first so many tasks of each (%(default)s)")
    p.add_argument("--samples", type=whole(1), default=1, help="trajectories of each task (%(default)s)")
    p.add_argument("--temperature", type=real(), default=1.0, help="of sampling; 0 is greedy (%(default)s)")
    p.add_argument("--max-steps", type=whole(1), default=30, help="of a trajectory (%(default)s)")
    p.add_argument("--max-tokens", type=whole(1), default=64, help="of an answer (%(default)s)")
    p.add_argument("--tag", default="explore", help="of doubt (%(default)s)")
    p.add_argument("--seed", type=whole(0), default=0, help="of sampling (%(default)s)")
    p.add_argument("--json", action="store_true", help="a line of JSON for each split instead of a table")
    o = p.parse_args()
    if not o.tag:
        p.error("argument --tag: name one, such as explore")
    if not o.spawn and (o.model or o.set):
        p.error("arguments --model and --set go with --spawn alone: the daemon at --sparkd has its own")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        lines = evaluate(o)
    except (Refused, OSError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    print("\n".join(map(json.dumps, lines)) if o.json else table(lines, o.tag))


if __name__ == "__main__":
    main()
