"""TextWorldExpress (Jansen and Côté 2022): fast text worlds in a Java process.

    pip install textworld-express==1.1.0      # and java on PATH

Options: game (cookingworld, twc, coin, mapreader, arithmetic, sorting, simonsays,
peckingorder), params (of the game: "numLocations=3, numIngredients=2"), max_steps.
Tasks are the seeds of the package's own splits train, dev and test. Rewards are changes of
the normalised score. A state is copied by replay: a step takes well under a millisecond.
"""

from __future__ import annotations

import os

from . import Env, Error, Observation, serve
from .options import positive

missing: ImportError | None = None
try:
    from textworld_express import TextWorldExpressEnv
    from textworld_express.version import __version__ as version
except ImportError as e:
    missing, version = e, "0"

JAVA = "-Xmx512m -XX:+UseSerialGC"  # a heap without a bound grows to a quarter of the machine


class TextWorldExpress(Env):
    """Cooking, commonsense, coin collecting and other games of TextWorldExpress."""

    name, version = "textworld-express", version

    def __init__(self, game: str = "cookingworld", params: str = "", max_steps: str = "50"):
        if missing:
            raise Error(f"cannot import textworld_express: {missing}", remedy="pip install textworld-express==1.1.0")
        self.max_steps = positive("max_steps", max_steps)
        os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA)
        self.env = start()
        try:
            self.env.load(game, params)
        except ValueError as e:
            self.env.close()
            raise Error(
                str(e),
                code="invalid",
                field="options.game" if "Unknown game" in str(e) else "options.params",
                remedy="use one of those known",
            ) from None
        self.seeds = {
            "train": self.env.getValidSeedsTrain(),
            "dev": self.env.getValidSeedsDev(),
            "test": self.env.getValidSeedsTest(),
        }
        self.splits = {split: len(seeds) for split, seeds in self.seeds.items()}

    def reset(self, split, index):
        text, infos = self.env.reset(seed=self.seeds[split][index], gameFold=split)
        return Observation(text, goal=infos["taskDescription"], admissible=infos["validActions"])

    def step(self, action):
        text, reward, done, infos = self.env.step(action)
        return Observation(text, "", infos["validActions"], float(reward), bool(done), bool(infos["tasksuccess"]))

    def close(self):
        self.env.close()


def start():
    """Starts the Java process."""
    try:
        return TextWorldExpressEnv(envStepLimit=10**9)  # sparkd has its own
    except FileNotFoundError as e:
        raise Error(f"cannot start java: {e}", remedy="install a Java runtime and put java on PATH") from None


if __name__ == "__main__":
    serve(TextWorldExpress)
