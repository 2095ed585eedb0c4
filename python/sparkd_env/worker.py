"""The worker's side of the exec protocol, version 1 (docs/environments-reference.md)."""

from __future__ import annotations

import base64
import inspect
import json
import os
import sys
import traceback
from typing import Any, BinaryIO, Callable

from .env import UNBOUNDED, Env
from .failure import Error, failure, shown
from .observation import Observation, observed

PROTOCOL = 1


def serve(factory: Callable[..., Env]) -> None:
    """Answers requests on stdin until it ends. factory makes an Env from the options.

    What the environment or its children print goes to stderr, which is sparkd's log:
    stdout belongs to the protocol alone, and nobody else reads stdin.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin, sys.stdout = open(0, closefd=False), sys.stderr
    Worker(factory).run(requests, answers)


class Session:
    """One episode in progress, or none yet."""

    def __init__(self, env: Env):
        self.env = env
        self.open = False


class Worker:
    """Holds the sessions and answers one request at a time."""

    def __init__(self, factory: Callable[..., Env]):
        self.factory = factory
        self.options: dict[str, str] = {}
        self.about: Env | None = None  # the first instance, which describes all
        self.sessions: dict[str, Session] = {}
        self.spare: list[Env] = []  # instances without a session: starting one may be slow

    def run(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Answers line by line until requests end, then closes all instances."""
        try:
            for line in requests:
                answers.write(written(self.answer(line)) + b"\n")
                answers.flush()
        except BrokenPipeError:
            pass  # sparkd is gone
        finally:
            for env in [s.env for s in self.sessions.values()] + self.spare:
                env.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one request; every failure is an answer too."""
        number = 0
        try:
            request = json.loads(line)
            number = request["id"]
            return {"id": number, "ok": self.handle(request)}
        except Exception as e:
            if not isinstance(e, Error):
                traceback.print_exc(file=sys.stderr)
            return {"id": number, "error": failure(e)}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        op = request["op"]
        if op == "hello":
            return self.hello(request)
        if self.about is None:
            raise Error("hello comes first", code="invalid", field="op")
        handlers = {
            "reset": self.reset,
            "step": self.step,
            "replay": self.replay,
            "fork": self.fork,
            "snapshot": self.snapshot,
            "restore": self.restore,
            "close": self.close,
        }
        if op not in handlers:
            raise Error(f"unknown op {op!r}", code="invalid", field="op", remedy="one of " + ", ".join(handlers))
        return handlers[op](request)

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("protocol") != PROTOCOL:
            raise Error(
                f"protocol {request.get('protocol')} is not spoken here",
                code="invalid",
                field="protocol",
                remedy=f"this worker speaks protocol {PROTOCOL}; install the sparkd_env that came with the daemon",
            )
        self.options = request.get("options") or {}
        if self.about is None:
            self.about = self.make()
            self.spare.append(self.about)
        env = self.about
        ok = {
            "name": env.name or type(env).__name__,
            "version": env.version,
            "about": env.about or (inspect.getdoc(env) or "").partition("\n")[0],
            "splits": env.splits,
            "max_steps": env.max_steps,
            "sessions": env.sessions,
        }
        if env.names:
            ok["names"] = env.names
        if env.examples:
            ok["examples"] = env.examples
        describe(ok)
        return {"protocol": PROTOCOL, "fork": how_copied(env), "replay": True, **ok}

    def make(self) -> Env:
        """A new instance from the options."""
        signature = inspect.signature(self.factory)
        try:
            signature.bind(**self.options)
        except TypeError as e:
            raise Error(
                f"options: {e}",
                code="invalid",
                field="options",
                remedy="known options: " + (", ".join(signature.parameters) or "none"),
            ) from None
        return self.factory(**self.options)

    def session(self, request: dict[str, Any], key: str = "session") -> Session:
        """The session that a request names; a new one where there is none."""
        name = request[key]
        if name not in self.sessions:
            if len(self.sessions) >= self.about.sessions:
                raise Error(
                    f"no place for session {name!r}",
                    code="unavailable",
                    remedy=f"close one of {', '.join(self.sessions)}",
                )
            self.sessions[name] = Session(self.spare.pop() if self.spare else self.make())
        return self.sessions[name]

    def playing(self, request: dict[str, Any]) -> Session:
        """The session that a request names, whose episode must be open."""
        session = self.sessions.get(request["session"])
        if session is None or not session.open:
            raise Error("no episode is open: it has ended, or none has begun", remedy="reset first")
        return session

    def task(self, request: dict[str, Any]) -> tuple[str, int]:
        """The task of a request, which must be one of the environment."""
        split, index = request["task"]["split"], request["task"]["index"]
        splits = self.about.splits
        if split not in splits:
            raise Error(
                f"no split {split!r}", code="invalid", field="tasks.split", remedy="one of " + ", ".join(sorted(splits))
            )
        if index < 0 or splits[split] != UNBOUNDED and index >= splits[split]:
            raise Error(
                f"no task {index} in {split}",
                code="invalid",
                field="tasks.indices",
                remedy=f"{split} has the tasks 0 to {splits[split] - 1}",
            )
        return split, index

    def reset(self, request: dict[str, Any]) -> dict[str, Any]:
        task, session = self.task(request), self.session(request)
        session.open = False  # until the reset has succeeded
        return self.seen(session, observed(session.env.reset(*task), "reset"))

    def step(self, request: dict[str, Any]) -> dict[str, Any]:
        session = self.playing(request)
        return self.seen(session, observed(session.env.step(request["action"]), "step"))

    def replay(self, request: dict[str, Any]) -> dict[str, Any]:
        task, session = self.task(request), self.session(request)
        session.open = False
        seen = replayed(session.env, *task, request["actions"])
        return {"observations": [self.seen(session, o) for o in seen]}

    def fork(self, request: dict[str, Any]) -> dict[str, Any]:
        copy = forked(self.playing(request).env)
        to = self.sessions.get(request["to"])
        if to is not None:
            to.env.close()
            to.env = copy
        elif len(self.sessions) < self.about.sessions:
            to = self.sessions[request["to"]] = Session(copy)
        else:
            copy.close()
            raise Error(f"no place for session {request['to']!r}", code="unavailable")
        to.open = True
        return {}

    def snapshot(self, request: dict[str, Any]) -> dict[str, Any]:
        state = self.playing(request).env.snapshot()
        if not isinstance(state, (bytes, bytearray)) or not state:
            raise Error(f"snapshot returned {shown(state)}", remedy="return bytes, at least one")
        return {"state": base64.b64encode(state).decode()}

    def restore(self, request: dict[str, Any]) -> dict[str, Any]:
        task, session = self.task(request), self.session(request)
        session.open = False
        session.env.restore(*task, base64.b64decode(request["state"], validate=True))
        session.open = True
        return {}

    def close(self, request: dict[str, Any]) -> dict[str, Any]:
        session = self.sessions.pop(request["session"], None)
        if session is None:
            return {}
        if len(self.sessions) + len(self.spare) < self.about.sessions:
            self.spare.append(session.env)
        else:  # a fork made it
            session.env.close()
        return {}

    @staticmethod
    def seen(session: Session, o: Observation) -> dict[str, Any]:
        """An observation as the protocol has it; it opens or ends the episode."""
        ok = spoken(o)
        session.open = not o.done
        return ok


def written(answer: dict[str, Any]) -> bytes:
    """An answer as a line: what JSON does not have is a failure, too."""
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except (TypeError, ValueError) as e:
        return json.dumps({"id": answer["id"], "error": failure(e)}).encode()


def spoken(o: Observation) -> dict[str, Any]:
    """An observation that was checked, as JSON has it."""
    ok = {"text": o.text, "reward": o.reward, "done": o.done, "success": o.success}
    if o.goal:
        ok["goal"] = o.goal
    if o.admissible is not None:
        ok["admissible"] = o.admissible
    return ok


def replayed(env: Env, split: str, index: int, actions: list[str]) -> list[Observation]:
    """The observations of a replay, checked: the class may have one of its own."""
    seen = env.replay(split, index, actions)
    if not isinstance(seen, list) or not 1 <= len(seen) <= len(actions) + 1:
        raise Error(
            f"replay of {len(actions)} actions returned {shown(seen)}",
            remedy="return a list of observations: of the reset, and of each action until the episode ends",
        )
    return [observed(o, "step" if i else "reset") for i, o in enumerate(seen)]


def forked(env: Env) -> Env:
    """A copy of the environment."""
    copy = env.fork()
    if not isinstance(copy, Env) or copy is env:
        raise Error(f"fork returned {'itself' if copy is env else shown(copy)}", remedy="return another Env")
    return copy


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def by_split(value: Any, good: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and good(v) for k, v in value.items())


def texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def describe(attributes: dict[str, Any]) -> None:
    """Refuses attributes of a class that are not of their documented types."""
    for name, value in attributes.items():
        good, kind = {
            "splits": (by_split(value, whole), "a dict of split to int"),
            "names": (by_split(value, texts), "a dict of split to list of str"),
            "examples": (isinstance(value, list), "a list of dict"),
            "max_steps": (whole(value), "an int"),
            "sessions": (whole(value), "an int"),
        }.get(name, (isinstance(value, str), "a str"))
        if not good:
            raise Error(f"the attribute {name} of the class is {shown(value)}", remedy=f"make it {kind}")


def how_copied(env: Env) -> str:
    """How a state is copied: by what the class overrides."""
    kind = type(env)
    if kind.fork is not Env.fork:
        return "native"
    if kind.snapshot is not Env.snapshot and kind.restore is not Env.restore:
        return "snapshot"
    return "replay"
