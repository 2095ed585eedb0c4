"""Drives environments of this process for rollouts of a sparkd daemon, over HTTP.

The same Env that a worker serves, without a worker:

    rollout = sparkd_env.drive("http://127.0.0.1:8787", {"tasks": {"count": 4}}, Guess)

The calls and their answers are described in docs/api.md, Sessions.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable, Optional

from .env import Env
from .failure import Error, failure
from .observation import observed
from .worker import forked, how_copied, replayed, spoken


def drive(
    url: str,
    rollout: dict[str, Any],
    factory: Callable[[], Env],
    token: str = "",
    step_timeout: float = 300,
    idle_timeout: float = 60,
) -> dict[str, Any]:
    """Runs a rollout to its end and returns it as the daemon shows it.

    rollout is the body of POST /v1/rollouts; with an id that is known the rollout goes on.
    An environment that raises fails the branch that called it and no other. Raises Error
    where the daemon refuses the request or cannot be reached.
    """
    rollout = {**rollout, "tasks": {**rollout.get("tasks", {}), "env": "client"}}
    http = _HTTP(url, token, idle_timeout)
    copies = _Copies(factory)
    fork = "native" if how_copied(copies.first) == "native" else "replay"
    try:
        answer = http.call(
            "POST",
            "/v1/sessions",
            {
                "rollout": rollout,
                "fork": fork,
                "step_timeout": step_timeout,
                "idle_timeout": idle_timeout,
                "max_steps": copies.first.max_steps,
            },
        )
        session = urllib.parse.quote(answer["id"], safe="")
        last = 0
        while True:
            work = http.call("GET", f"/v1/sessions/{session}/calls?after={last}")
            answers, begun = [], time.monotonic()
            for call in work["calls"]:
                last = call["id"]
                answers += copies.answer(call)
                if time.monotonic() - begun > 1:  # slow environments: who is silent for long counts as lost
                    http.answer(session, answers)
                    answers, begun = [], time.monotonic()
            http.answer(session, answers)
            if not work["calls"] and work["state"] in ("done", "failed", "canceled"):
                return http.call("GET", f"/v1/rollouts/{session}")
    finally:
        copies.close()


class _Copies:
    """The copies of the environment that the daemon knows by number."""

    def __init__(self, factory: Callable[[], Env]):
        self.factory = factory
        self.first: Optional[Env] = factory()
        self.spare = [self.first]
        self.open: dict[int, Env] = {}

    def answer(self, call: dict[str, Any]) -> list[dict[str, Any]]:
        """The answer to a call, or none where it takes none."""
        if call["op"] == "close":
            if call["copy"] in self.open:
                self.spare.append(self.open.pop(call["copy"]))
            return []
        try:
            return [{"id": call["id"], **self.act(call)}]
        except Exception as e:
            told = failure(e)
            remedy = f" ({told['remedy']})" if "remedy" in told else ""
            return [{"id": call["id"], "error": (told["message"] + remedy)[:2000]}]

    def act(self, call: dict[str, Any]) -> dict[str, Any]:
        copy, op, task = call["copy"], call["op"], call.get("task") or {}
        if op == "fork":
            self.open[copy] = forked(self.open[call["from"]])
            return {}
        if op == "step":
            return {"observation": spoken(observed(self.open[copy].step(call.get("action", "")), "step"))}
        if copy not in self.open:
            self.open[copy] = self.spare.pop() if self.spare else self.factory()
        env = self.open[copy]
        if op == "replay":
            seen = replayed(env, task["split"], task["index"], call.get("actions") or [])
            return {"observations": [spoken(o) for o in seen]}
        if op == "reset":
            return {"observation": spoken(observed(env.reset(task["split"], task["index"]), "reset"))}
        raise Error(f"unknown op {op!r}")

    def close(self) -> None:
        for env in [*self.open.values(), *self.spare]:
            env.close()


class _HTTP:
    def __init__(self, url: str, token: str, timeout: float):
        self.url = url if "://" in url else "http://" + url
        self.headers = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
        self.timeout = max(timeout, 60)

    def answer(self, session: str, answers: list[dict[str, Any]]) -> None:
        """Posts answers. One that is too large for the daemon fails its own branch alone."""
        if not answers:
            return
        try:
            self.call("POST", f"/v1/sessions/{session}/answers", {"answers": answers})
        except Error as e:
            if e.code != "too_large" or "error" in answers[0] and len(answers) == 1:
                raise
            if len(answers) == 1:
                answers = [{"id": answers[0]["id"], "error": f"the answer is too large: {e.message} ({e.remedy})"}]
            for a in answers:
                self.answer(session, [a])

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        request = urllib.request.Request(self.url.rstrip("/") + path, data, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            try:
                problem = json.load(e)
            except ValueError:
                problem = {}
            raise Error(
                problem.get("message", str(e)),
                problem.get("code", "unavailable"),
                problem.get("field", ""),
                problem.get("remedy", ""),
            ) from None
        except OSError as e:
            raise Error(f"no daemon at {self.url}: {e}", "unavailable", remedy="start one with sparkd serve") from None
