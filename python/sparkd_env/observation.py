"""What an environment answers: Observation. Nothing that a user's code returns is converted silently."""

from __future__ import annotations

import math
import numbers
import sys
from dataclasses import dataclass
from typing import Any, Optional

from .failure import Error, shown


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
    """The goal is reached; it counts only together with done."""


def observed(answer: Any, call: str) -> Observation:
    """The answer of a user's reset or step, every field of the documented type and of Python's own."""
    if isinstance(answer, tuple):
        answer = from_gymnasium(answer, call)
    if not isinstance(answer, Observation):
        raise Error(
            f"{call} returned {shown(answer)}, not an Observation",
            remedy="return sparkd_env.Observation(text, …), or what Gymnasium's "
            + ("reset returns: (text, info)" if call == "reset" else "step returns: five values"),
        )
    return Observation(
        text=words(answer.text, "text", call),
        goal=words(answer.goal, "goal", call),
        admissible=actions(answer.admissible, call),
        reward=number(answer.reward, call),
        done=truth(answer.done, "done", call),
        success=truth(answer.success, "success", call),
    )


def from_gymnasium(answer: tuple, call: str) -> Observation:
    """An Observation of what Gymnasium's reset or step returns."""
    length, form = (2, "(text, info)") if call == "reset" else (5, "(text, reward, terminated, truncated, info)")
    if len(answer) != length or not isinstance(answer[-1], dict):
        raise Error(
            f"{call} returned a tuple of {len(answer)}: {shown(answer)}",
            remedy=f"return sparkd_env.Observation(text, …), or {form} as in Gymnasium, with a dict as info",
        )
    info = answer[-1]
    seen = Observation(answer[0], goal=info.get("goal", ""), admissible=info.get("admissible"))
    if call == "step":
        seen.reward = answer[1]
        terminated, truncated = truth(answer[2], "terminated", call), truth(answer[3], "truncated", call)
        seen.done = terminated or truncated
        seen.success = truth(info.get("success", info.get("is_success", False)), "success", call) and seen.done
    return seen


def wrong(field: str, value: Any, call: str, remedy: str) -> Error:
    article = "an" if field[0] in "aeiou" else "a"
    return Error(f"{call} gave {article} {field} of {shown(value)}", remedy=remedy)


def words(value: Any, field: str, call: str) -> str:
    if not isinstance(value, str):
        raise wrong(field, value, call, "make it a str")
    try:
        value.encode()
    except UnicodeEncodeError as e:
        raise wrong(field, value[e.start : e.end], call, "leave out surrogates, which no text in UTF-8 has") from None
    return str(value)


def actions(value: Any, call: str) -> Optional[list[str]]:
    if value is None:
        return None
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise wrong("admissible", value, call, "make it a list of str, or None where it is not known")
    return sorted({words(a, "admissible action", call) for a in value})


def number(value: Any, call: str) -> float:
    """A real number, of numpy too, where it is one: its scalars are registered as such."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise wrong("reward", value, call, "make it a float: 1.0 for True, x.item() for an array of one")
    try:
        reward = float(value)
    except OverflowError:
        reward = math.inf
    if not math.isfinite(reward):
        raise wrong("reward", value, call, "make it finite; raise an exception where there is none")
    return reward


def truth(value: Any, field: str, call: str) -> bool:
    """A bool, or numpy's."""
    numpy = sys.modules.get("numpy")
    if isinstance(value, bool) or numpy is not None and isinstance(value, numpy.bool_):
        return bool(value)
    raise wrong(field, value, call, "make it True or False")
