"""TextWorld (Côté et al. 2018): games in a folder, with true snapshots.

    pip install textworld==1.7.0
    tw-make tw-simple --rewards dense --goal detailed --seed 1 --output games/train/1.z8

Options: games, a folder of .z8 files with the .json that tw-make writes beside each, or of
folders of them, one per split (without: all are "train"); max_steps. Task names are the
names of the files. Rewards are changes of the score.

The interpreter's memory is the state: reading and writing it takes well under a
millisecond. The admissible commands are tracked beside it as the package does it
(textworld.envs.wrappers.tw_inform7), whose state is a set of facts.
"""

from __future__ import annotations

import functools
import json
import os
import re
import warnings
import zlib

from . import Env, Error, Observation, serve
from .options import positive

missing: ImportError | None = None
try:
    import numpy
    from jericho import FrotzEnv, UnsupportedGameWarning
    from textworld.envs.wrappers import tw_inform7
    from textworld.generator.game import Game, GameProgression
    from textworld.generator.inform7 import Inform7Game
    from textworld.logic import Proposition, State
    from textworld.version import __version__ as version

    warnings.simplefilter("ignore", UnsupportedGameWarning)  # made games are not among the known ones
except ImportError as e:
    missing, version = e, "0"

SEED = 1  # of the interpreter: a game is the same every time

# Commands to the interpreter and not to the game: they write files, read what another
# episode wrote, or start again. A line can hold several commands. One with any of these
# is answered without being passed on.
META = {"save", "restore", "restart", "quit", "q", "script", "unscript", "transcript"}


class TextWorld(Env):
    """Games made by TextWorld's tw-make."""

    name, version = "textworld", version
    sessions = 8

    def __init__(self, games: str, max_steps: str = "100"):
        if missing:
            raise Error(f"cannot import TextWorld: {missing}", remedy="pip install textworld==1.7.0")
        self.max_steps = positive("max_steps", max_steps)
        self.files = find(games)
        self.splits = {split: len(files) for split, files in self.files.items()}
        self.names = {split: [os.path.basename(f)[:-3] for f in files] for split, files in self.files.items()}
        self.loaded = ""  # file that the interpreter has
        self.frotz = self.game = self.grammar = self.facts = None
        self.score = 0

    def reset(self, split, index):
        self.load(self.files[split][index])
        text, _ = self.frotz.reset()
        self.score = self.ask_for_score()
        self.frotz.step("tw-trace-actions")  # from here on, what happens is printed between brackets
        self.facts = GameProgression(self.game, track_quests=False)
        return Observation(text, goal=self.game.objective, admissible=self.admissible())

    def step(self, action):
        words = "".join(c if c.isprintable() else " " for c in action).split()
        if any(w in META or w.startswith("tw-") for w in re.findall(r"[\w-]+", action.lower())):
            return Observation("That is no command of the game.", admissible=self.admissible())
        text = self.frotz.step(" ".join(words))[0]
        if text.startswith("Emulator halted"):
            raise Error("the interpreter halted")
        infos, text = tw_inform7._detect_extra_infos(text, ["moves", "score"])
        events, text = tw_inform7._detect_i7_events_debug_tags(text)
        for event in events:
            done = self.grammar.detect_action(event, self.facts.valid_actions)
            if done is not None:
                self.facts.update(done)
        before = self.score
        if infos["score"] is not None:
            self.score = int(infos["score"].split("\n")[0])
        won, lost = "*** The End ***" in text, "*** You lost! ***" in text
        return Observation(text, "", self.admissible(), self.score - before, won or lost, won)

    def snapshot(self):
        ram, stack, pc, sp, fp, frames, opcode, rng, narrative = self.frotz.get_state()
        head = {
            "pc": pc,
            "sp": sp,
            "fp": fp,
            "frames": frames,
            "opcode": opcode,
            "rng": [int(n) for n in rng],
            "narrative": narrative.decode("latin-1"),
            "ram": len(ram),
            "stack": len(stack),
            "score": self.score,
            "facts": self.facts.state.serialize(),
        }
        return zlib.compress(json.dumps(head).encode() + b"\n" + ram.tobytes() + stack.tobytes(), 1)

    def restore(self, split, index, state):
        head, _, memory = zlib.decompress(state).partition(b"\n")
        head = json.loads(head)
        self.load(self.files[split][index])
        array = numpy.frombuffer(memory, dtype=numpy.uint8).copy()
        ram, stack = array[: head["ram"]], array[head["ram"] :]
        self.frotz.set_state(
            (
                ram,
                stack,
                head["pc"],
                head["sp"],
                head["fp"],
                head["frames"],
                head["opcode"],
                head["rng"],
                head["narrative"].encode("latin-1"),
            )
        )
        self.score = head["score"]
        self.facts = GameProgression(self.game, track_quests=False)
        state = State(self.game.kb.logic, [Proposition.deserialize(fact) for fact in head["facts"]])
        self.facts.state = state
        self.facts._valid_actions = list(
            state.all_applicable_actions(self.game.kb.rules.values(), self.game.kb.types.constants_mapping)
        )

    def load(self, file: str) -> None:
        """Puts a game into the interpreter, unless it is there."""
        if file == self.loaded:
            return
        self.loaded = ""
        if self.frotz is None:
            self.frotz = FrotzEnv(file, seed=SEED)
        else:
            self.frotz.load(file, seed=SEED)
        self.game, self.grammar = described(file)
        self.loaded = file

    def ask_for_score(self) -> int:
        """Has the score printed at every turn, and returns that of now."""
        infos, _ = tw_inform7._detect_extra_infos(self.frotz.step("tw-extra-infos score")[0], ["score"])
        return int((infos["score"] or "0").split("\n")[0])

    def admissible(self) -> list[str]:
        return self.grammar.gen_commands_from_actions(self.facts.valid_actions)

    def close(self):
        if self.frotz is not None:
            self.frotz.close()
            self.frotz, self.loaded = None, ""


@functools.lru_cache(maxsize=64)
def described(file: str) -> tuple[Game, Inform7Game]:
    """What tw-make wrote about a game; nothing changes it, so all sessions share it."""
    game = Game.load(file[:-3] + ".json")
    return game, Inform7Game(game)


def find(folder: str) -> dict[str, list[str]]:
    """The games of each split."""
    if not os.path.isdir(folder):
        raise Error(
            f"there is no folder {folder}", code="invalid", field="options.games", remedy="name a folder of .z8 games"
        )
    files = {"train": games_in(folder)}
    if not files["train"]:
        files = {
            d: games_in(os.path.join(folder, d))
            for d in sorted(os.listdir(folder))
            if os.path.isdir(os.path.join(folder, d))
        }
    files = {split: found for split, found in files.items() if found}
    if not files:
        raise Error(
            f"there are no .z8 games in {folder}",
            code="invalid",
            field="options.games",
            remedy="make one: tw-make tw-simple --rewards dense --goal detailed --seed 1 --output "
            + os.path.join(folder, "train", "1.z8"),
        )
    for file in sum(files.values(), []):
        if not os.path.isfile(file[:-3] + ".json"):
            raise Error(
                f"{file} has no .json beside it",
                code="invalid",
                field="options.games",
                remedy="keep the files of tw-make together",
            )
    return files


def games_in(folder: str) -> list[str]:
    return [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".z8")]


if __name__ == "__main__":
    serve(TextWorld)
