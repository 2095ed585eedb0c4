"""A running sparkd daemon over HTTP: rollouts, finished trees, new weights.

Whatever fails because the daemon is away (killed, starting, too busy) is asked again, with
growing pauses, for at most `patience` seconds. That is safe because every request here may be
repeated: rollouts have ids that the trainer chooses, and weights a version.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

AWAY = (429, 503, 504)  # queue full, starting or shutting down, too busy


class Refused(Exception):
    """The daemon answered with an error: what is wrong, where, and what to do about it."""

    def __init__(self, error: dict):
        parts = (error.get("code"), error.get("field"), error.get("message"), error.get("remedy"))
        super().__init__("sparkd: " + ": ".join(p for p in parts if p and isinstance(p, str)))


class Daemon:
    """The daemon at `address`. One trainer per daemon: its weights are the trainer's."""

    def __init__(self, address: str, patience: float = 600):
        self.address, self.patience = address.rstrip("/"), patience
        self.served: tuple | None = None  # version, and since when which replicas are up
        token = os.environ.get("SPARKD_API_TOKEN", "").strip()
        if not (token.isascii() and token.isprintable()):
            raise Refused(
                {
                    "field": "SPARKD_API_TOKEN",
                    "message": "is no token",
                    "remedy": "set it to what api.token or api.token_file says",
                }
            )
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def revive(self) -> None:
        """What can be done while nobody answers: nothing but to wait for who started it."""

    def call(self, route: str, body: dict | None = None, timeout: float = 60) -> list[dict]:
        """The lines of JSON of an answer. Raises Refused, or ConnectionError when patience ends."""
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", self.address):
            raise Refused(
                {
                    "field": "--sparkd",
                    "message": f"{self.address!r} is no address",
                    "remedy": "write it as http://127.0.0.1:8787",
                }
            )
        data = None if body is None else json.dumps(body).encode()
        end, pause, told = time.monotonic() + self.patience, 0.1, False
        while True:
            request = urllib.request.Request(self.address + route, data, self.headers)
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return objects(answer.read(), self.address)
            except urllib.error.HTTPError as error:
                why = refusal(error)
                if error.code not in AWAY:
                    raise Refused(why) from None
            except (OSError, http.client.HTTPException) as error:  # nobody listens, or the answer was cut
                why = {"message": str(error)}
                self.revive()
            if time.monotonic() > end:
                raise ConnectionError(
                    f"no daemon at {self.address} for {self.patience:.0f} s ({why['message']}); start one with "
                    "`sparkd serve --data FOLDER --model FILE.gguf` and run the same command again: "
                    "it goes on where it was"
                )
            if pause > 1 and not told:
                print(f"waiting for the daemon at {self.address}: {why['message']}", file=sys.stderr, flush=True)
                told = True
            time.sleep(pause)
            pause = min(5, pause * 1.5)

    def serve(self, weights: Path, version: str) -> float:
        """Makes the weights of a GGUF file the policy that samples, if they are not yet; returns
        the seconds that took. A daemon that was started anew has its own file's weights again."""
        began = time.monotonic()
        engines = self.call("/v1/engines")[0]
        served = version, [replica.get("since") for replica in engines["replicas"]]
        if engines["policy_version"] != version:
            if self.served == served:  # and not started anew
                message = f"somebody else moved the daemon at {self.address} to the weights {engines['policy_version']}"
                raise Refused(
                    {
                        "message": message,
                        "remedy": "one trainer per daemon: give the other one its own, and run the same command again",
                    }
                )
            self.call("/v1/engines/weights", {"path": str(weights.resolve()), "version": version}, timeout=1800)
        self.served = served
        return time.monotonic() - began

    def tasks(self, env: str, split: str, least: int, flags: str = "--") -> range:
        """The indices of a split's tasks, which must be so many at least; `flags` is what the flags that
        chose them begin with."""
        environments = {
            e["name"]: e["splits"] for e in self.call("/v1/info")[0]["environments"] if e["name"] != "client"
        }
        if env not in environments:
            known = ", ".join(environments)
            raise Refused(
                {
                    "field": "--env",
                    "message": f"the daemon has no environment {env!r}",
                    "remedy": f"one of {known}, or configure it there",
                }
            )
        if split not in environments[env]:
            raise Refused(
                {
                    "field": f"{flags}split",
                    "message": f"{env} has no split {split!r}",
                    "remedy": f"one of {', '.join(environments[env])}",
                }
            )
        count = environments[env][split]
        if 0 <= count < least:
            message = f"{env}/{split} has {count} tasks, not {least}"
            raise Refused(
                {"field": f"{flags}tasks", "message": message, "remedy": f"use fewer, or another {flags}split"}
            )
        return range(count if count >= 0 else 2**31)  # -1: every index is a task

    def grow(self, spec: dict, weights: Path, version: str, pause: float = 0.1) -> dict:
        """The rollout of a spec with an id when it is done; who asks again gets the one that grows or
        has grown already, and in place of one that had failed a new one, its id with `.again` behind.
        The daemon samples it with the given weights."""
        grows = False
        while True:
            self.serve(weights, version)
            rollout = self.call("/v1/rollouts", spec)[0]
            if rollout["state"] == "done":
                return rollout
            if rollout["state"] in ("queued", "running"):
                grows = True
                time.sleep(pause)
            elif grows:
                raise Refused(rollout.get("error") or {"message": f"rollout {rollout['id']} was {rollout['state']}"})
            else:
                spec = spec | {"id": spec["id"] + ".again"}

    def trees(self, rollout: str, advantage: str, **options: str) -> list[dict]:
        """The finished trees of a rollout, steps that trajectories share trained once. One trajectory
        has ended at least."""
        query = {"rollout": rollout, "format": "tree", "dedupe": "unique", "advantage": advantage} | options
        lines = self.call(f"/v1/export?{urllib.parse.urlencode(query)}", timeout=600)
        if lines and "nodes" not in lines[0]:
            raise Refused(lines[0]["error"])  # nothing but the reason why there is nothing
        if not any(tree["leaves"] for tree in lines):
            raise Refused(
                {
                    "message": f"no trajectory of rollout {rollout} ended: all of its trees failed",
                    "remedy": "see the daemon's log",
                }
            )
        return lines


def objects(answer: bytes, address: str) -> list[dict]:
    """The lines of an answer."""
    try:
        return [json.loads(line) for line in answer.splitlines()]
    except ValueError:
        message = f"what answers at {address} is no sparkd"
        raise Refused(
            {"field": "--sparkd", "message": message, "remedy": "name the address that sparkd serve tells"}
        ) from None


def refusal(error: urllib.error.HTTPError) -> dict:
    """The error of an answer, also of one that is not sparkd's."""
    foreign = {
        "field": "--sparkd",
        "message": f"{error.url}: {error}",
        "remedy": "name the address that sparkd serve tells",
    }
    try:
        told = json.loads(error.read())
    except (ValueError, OSError, http.client.HTTPException):
        return foreign
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return foreign
    return told | {"remedy": "set SPARKD_API_TOKEN to the daemon's api.token"} if error.code == 401 else told


class Spawned(Daemon):
    """A daemon of the trainer's own: started here, started again when it dies, ended by close.
    The next trainer in the same folder finds the one that a killed trainer left running."""

    def __init__(self, folder: Path, program: str, model: Path, settings: list[str], patience: float = 600):
        self.folder, self.process = folder, None
        self.note = folder / "daemon.json"
        try:
            left = json.loads(self.note.read_text())
            address, self.pid = str(left["address"]), int(left["pid"])
        except (OSError, ValueError, TypeError, KeyError):  # none, or one that nobody can read
            address, self.pid = "", 0
        super().__init__(address, patience=patience)
        options = [f"--set={s}" for s in settings]
        self.command = [program, "serve", "--data", str(folder / "daemon"), "--model", str(model), *options]
        self.revive()

    def alive(self) -> bool:
        """Whether what was started before is there and answers: its port may be another's by now."""
        if self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
            with urllib.request.urlopen(self.address + "/healthz", timeout=5):
                return True
        except (OSError, ValueError, OverflowError, http.client.HTTPException):
            return False

    def revive(self) -> None:
        """Starts the program if what was started before has ended."""
        if self.alive() if self.process is None else self.process.poll() is None:
            return  # busy, or still starting
        if self.process and self.process.returncode > 0:
            raise SystemExit(
                f"the daemon ended with {self.process.returncode}; "
                f"{self.folder}/daemon.log ends with:\n{self.last_words()}"
            )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with open(self.folder / "daemon.log", "ab") as log:
            command = [*self.command, "--listen", self.address[7:]]
            try:
                self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
            except OSError as error:
                raise SystemExit(
                    f"--spawn {command[0]}: {error.strerror}: name the program sparkd; `make build` makes bin/sparkd"
                ) from None
        self.pid = self.process.pid
        new = self.folder / "daemon.new"
        new.write_text(json.dumps({"address": self.address, "pid": self.pid}))
        new.replace(self.note)

    def last_words(self) -> str:
        return "\n".join((self.folder / "daemon.log").read_text(errors="replace").splitlines()[-3:])

    def close(self) -> None:
        """Ends the daemon; trees that grow are grown on by the next one."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        elif self.alive():
            os.kill(self.pid, signal.SIGTERM)
        self.note.unlink(missing_ok=True)
