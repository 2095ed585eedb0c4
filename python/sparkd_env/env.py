"""What an environment is: Env."""

from __future__ import annotations

from typing import Any, Optional

from .observation import Observation, observed

UNBOUNDED = -1
"""Size of a split in which every index is a task, a seed for example."""


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
        """Starts a task: split is one of splits, index within it. Also in mid-episode.

        Gymnasium's tuple (text, info) is taken, too: goal and admissible come from info.
        """
        raise NotImplementedError

    def step(self, action: str) -> Observation:
        """Applies an action. Text that is no action is answered, not refused.

        Gymnasium's tuple (text, reward, terminated, truncated, info) is taken, too: done is
        terminated or truncated; success is info's "success", or "is_success", where that
        ends the episode; admissible comes from info.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Frees what the instance holds; called when the worker ends."""

    def replay(self, split: str, index: int, actions: list[str]) -> list[Observation]:
        """Resets and steps; returns all observations, fewer where the episode ends."""
        seen = [observed(self.reset(split, index), "reset")]
        for action in actions:
            if seen[-1].done:
                break
            seen.append(observed(self.step(action), "step"))
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
