"""The worker's side of the exec protocol, version 1 (docs/environments-reference.md)."""

from __future__ import annotations

import base64
import inspect
import json
import math
import os
import sys
import traceback
from typing import Any, BinaryIO, Callable

from .env import UNBOUNDED, Env, Error, Observation

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
                answers.write(json.dumps(self.answer(line), allow_nan=False).encode() + b"\n")
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
        except Error as e:
            error = {"code": e.code, "message": e.message, "field": e.field, "remedy": e.remedy}
        except Exception as e:
            traceback.print_exc(file=sys.stderr)
            error = {"code": "env", "message": f"{type(e).__name__}: {e}"}
        return {"id": number, "error": {k: v for k, v in error.items() if v}}

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
            "protocol": PROTOCOL,
            "name": env.name or type(env).__name__,
            "version": env.version,
            "about": env.about or (inspect.getdoc(env) or "").partition("\n")[0],
            "splits": env.splits,
            "max_steps": env.max_steps,
            "fork": how_copied(env),
            "replay": True,
            "sessions": env.sessions,
        }
        if env.names:
            ok["names"] = env.names
        if env.examples:
            ok["examples"] = env.examples
        return ok

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
        return self.seen(session, session.env.reset(*task))

    def step(self, request: dict[str, Any]) -> dict[str, Any]:
        session = self.playing(request)
        return self.seen(session, session.env.step(request["action"]))

    def replay(self, request: dict[str, Any]) -> dict[str, Any]:
        task, session = self.task(request), self.session(request)
        session.open = False
        return {"observations": [self.seen(session, o) for o in session.env.replay(*task, request["actions"])]}

    def fork(self, request: dict[str, Any]) -> dict[str, Any]:
        copy = self.playing(request).env.fork()
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
        return {"state": base64.b64encode(self.playing(request).env.snapshot()).decode()}

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


def spoken(o: Observation) -> dict[str, Any]:
    """An observation as JSON has it."""
    reward = float(o.reward)
    if not math.isfinite(reward):
        raise Error(f"the environment gave a reward of {reward}")
    ok = {"text": str(o.text), "reward": reward, "done": bool(o.done), "success": bool(o.success)}
    if o.goal:
        ok["goal"] = str(o.goal)
    if o.admissible is not None:
        ok["admissible"] = sorted({str(a) for a in o.admissible})
    return ok


def how_copied(env: Env) -> str:
    """How a state is copied: by what the class overrides."""
    kind = type(env)
    if kind.fork is not Env.fork:
        return "native"
    if kind.snapshot is not Env.snapshot and kind.restore is not Env.restore:
        return "snapshot"
    return "replay"
