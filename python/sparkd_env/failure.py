"""How an environment fails: Error, and what sparkd is told of any exception."""

from __future__ import annotations

import os
import traceback
from typing import Any


class Error(Exception):
    """A failure that sparkd reports with its field and remedy.

    code is "env" where the environment failed and "invalid" where the task or the
    options are wrong. Any other exception of an Env is reported as code "env".
    """

    def __init__(self, message: str, code: str = "env", field: str = "", remedy: str = ""):
        super().__init__(message)
        self.message, self.code, self.field, self.remedy = str(message), str(code), str(field), str(remedy)


def failure(e: Exception) -> dict[str, str]:
    """What sparkd is told of an exception: its words, and the line of the user's code that it came from."""
    if isinstance(e, Error):
        told = {"code": e.code, "message": e.message, "field": e.field, "remedy": e.remedy}
        return {k: printable(v) for k, v in told.items() if v}
    try:
        text = str(e)
    except Exception:
        text = "an exception without words"
    return {"code": "env", "message": printable(f"{type(e).__name__}: {text}{place(e)}")}


def place(e: Exception) -> str:
    """The last line of code that is neither of this package nor of a library, or else the last one at all."""
    here = os.path.dirname(os.path.abspath(__file__))
    frames = [f for f in traceback.extract_tb(e.__traceback__) if os.path.dirname(os.path.abspath(f.filename)) != here]
    libraries = ("site-packages", "dist-packages", os.path.dirname(os.__file__), "<frozen")
    own = [f for f in frames if not any(part in f.filename for part in libraries)]
    for frame in (own or frames)[-1:]:
        line = f": {frame.line}" if frame.line else ""
        return f" ({frame.filename}, line {frame.lineno}, in {frame.name}{line})"
    return ""


def printable(text: str) -> str:
    """A text without surrogates, which no message can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: Any) -> str:
    """A value and its type, for a message."""
    try:
        text = repr(value)
    except Exception:
        text = "?"
    return f"{text[:200]}{'…' if len(text) > 200 else ''} ({type(value).__name__})"
