"""What an environment is: Env, Observation and Error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

UNBOUNDED = -1
"""Size of a split in which every index is a task, a seed for example."""


@dataclass
class Observation:
    """What an environment answers to a reset or a step."""

    text: str
    """What the agent reads."""
    goal: str = ""
    """The task in words; of a reset."""
    admissible: Optional[list[str]] = None
    """The actions that are accepted now; None where they are not known."""
    reward: float = 0.0
    """Of this step, in the environment's own unit; a finite number."""
    done: bool = False
    """The episode is over."""
    success: bool = False
    """The goal is reached; only together with done."""


class Error(Exception):
    """A failure that sparkd reports with its field and remedy.

    code is "env" where the environment failed and "invalid" where the task or the
    options are wrong. Any other exception of an Env is reported as code "env".
    """

    def __init__(self, message: str, code: str = "env", field: str = "", remedy: str = ""):
        super().__init__(message)
        self.message, self.code, self.field, self.remedy = message, code, field, remedy


class Env:
    """One environment: it plays one episode at a time.

    The options of the configuration arrive as keyword arguments of __init__, all of them
    strings; name those that you know. The first instance is made for the hello and its
    attributes below are what sparkd learns, so __init__ may set them. An instance is used
    for many episodes, one after the other.

    The same task and actions must give the same observations, in every process: draw what
    is random from the task's index.
    """

    name: str = ""
    """Name of the environment; "" is the name of the class."""
    version: str = "0"
    about: str = ""
    """One sentence; "" is the first line of the class's docstring."""
    splits: dict[str, int] = {"train": UNBOUNDED}
    """Split -> number of tasks, or UNBOUNDED."""
    names: Optional[dict[str, list[str]]] = None
    """Split -> names of its tasks in the order of their indices, where they have names."""
    examples: Optional[list[dict[str, Any]]] = None
    """Steps of an episode that show a model the form of an answer, in this environment's words: text, admissible,
    reason (one sentence), surprised (True: the last result was not what was expected) and action of each."""
    max_steps: int = 100
    """Length of an episode after which sparkd ends it."""
    sessions: int = 1
    """Episodes that one process can hold at once: one instance each."""

    def reset(self, split: str, index: int) -> Observation:
        """Starts a task: split is one of splits, index within it. Also in mid-episode."""
        raise NotImplementedError

    def step(self, action: str) -> Observation:
        """Applies an action. Text that is no action is answered, not refused."""
        raise NotImplementedError

    def close(self) -> None:
        """Frees what the instance holds; called when the worker ends."""

    def replay(self, split: str, index: int, actions: list[str]) -> list[Observation]:
        """Resets and steps; returns all observations, fewer where the episode ends."""
        seen = [self.reset(split, index)]
        for action in actions:
            if seen[-1].done:
                break
            seen.append(self.step(action))
        return seen

    # Where a state can be copied, override fork, or both snapshot and restore. Otherwise
    # sparkd repeats the actions and compares every observation.

    def fork(self) -> Env:
        """Returns an independent copy of the current state."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """Returns the current state, which another process can restore."""
        raise NotImplementedError

    def restore(self, split: str, index: int, state: bytes) -> None:
        """Goes into a state of a task, instead of a reset."""
        raise NotImplementedError
