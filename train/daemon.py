"""A running sparkd daemon over HTTP: rollouts, finished trees, new weights.

Whatever fails because the daemon is away (killed, starting, too busy) is asked again, with
growing pauses, for at most `patience` seconds. That is safe because every request here may be
repeated: rollouts have ids that the trainer chooses, and weights a version.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
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
        super().__init__("sparkd: " + ": ".join(p for p in parts if p))


class Daemon:
    """The daemon at `address`. One trainer per daemon: its weights are the trainer's."""

    def __init__(self, address: str, patience: float = 600):
        self.address, self.patience = address.rstrip("/"), patience
        token = os.environ.get("SPARKD_API_TOKEN")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def revive(self) -> None:
        """What can be done while nobody answers: nothing but to wait for who started it."""

    def call(self, route: str, body: dict | None = None, timeout: float = 60) -> list[dict]:
        """The lines of JSON of an answer. Raises Refused, or ConnectionError when patience ends."""
        data = None if body is None else json.dumps(body).encode()
        end, pause = time.monotonic() + self.patience, 0.1
        while True:
            request = urllib.request.Request(self.address + route, data, self.headers)
            try:
                with urllib.request.urlopen(request, timeout=timeout) as answer:
                    return [json.loads(line) for line in answer.read().splitlines()]
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
                    "`sparkd serve --data FOLDER --model FILE.gguf` and run the same command again: it goes on where it was"
                )
            time.sleep(pause)
            pause = min(5, pause * 1.5)

    def serve(self, weights: Path, version: str) -> float:
        """Makes the weights of a GGUF file the policy that samples, if they are not yet; returns
        the seconds that took. A daemon that was started anew has its own file's weights again."""
        began = time.monotonic()
        if self.call("/v1/engines")[0]["policy_version"] != version:
            self.call("/v1/engines/weights", {"path": str(weights.resolve()), "version": version}, timeout=1800)
        return time.monotonic() - began

    def grow(self, spec: dict, weights: Path, version: str, pause: float = 0.1) -> dict:
        """The rollout of a spec with an id when it is done; who asks again gets the one that
        grows or has grown already. The daemon samples it with the given weights."""
        while True:
            self.serve(weights, version)
            rollout = self.call("/v1/rollouts", spec)[0]
            if rollout["state"] == "done":
                return rollout
            if rollout["state"] not in ("queued", "running"):
                raise Refused(rollout.get("error") or {"message": f"rollout {rollout['id']} was {rollout['state']}"})
            time.sleep(pause)

    def trees(self, rollout: str, advantage: str) -> list[dict]:
        """The finished trees of a rollout, steps that trajectories share trained once."""
        query = urllib.parse.urlencode({"rollout": rollout, "format": "tree", "dedupe": "unique", "advantage": advantage})
        lines = self.call(f"/v1/export?{query}", timeout=600)
        if lines and "nodes" not in lines[0]:
            raise Refused(lines[0]["error"])  # nothing but the reason why there is nothing
        return lines


def refusal(error: urllib.error.HTTPError) -> dict:
    """The error of an answer, also of one that is not sparkd's."""
    try:
        return {"message": str(error)} | json.loads(error.read())
    except (ValueError, OSError, http.client.HTTPException):
        return {"message": str(error)}


class Spawned(Daemon):
    """A daemon of the trainer's own: started here, started again when it dies, ended by close.
    The next trainer in the same folder finds the one that a killed trainer left running."""

    def __init__(self, folder: Path, program: str, model: Path, settings: list[str], patience: float = 600):
        self.folder, self.process = folder, None
        self.note = folder / "daemon.json"
        left = json.loads(self.note.read_text()) if self.note.exists() else {}
        super().__init__(left.get("address", ""), patience=patience)
        self.pid = left.get("pid")
        options = [f"--set={s}" for s in settings]
        self.command = [program, "serve", "--data", str(folder / "daemon"), "--model", str(model), *options]
        self.revive()

    def alive(self) -> bool:
        try:
            with urllib.request.urlopen(self.address + "/healthz", timeout=5):
                return True
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def revive(self) -> None:
        """Starts the program if what was started before has ended."""
        if self.alive() if self.process is None else self.process.poll() is None:
            return  # busy, or still starting
        if self.process and self.process.returncode > 0:
            raise SystemExit(f"the daemon does not start; {self.folder}/daemon.log ends with:\n{self.last_words()}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        with open(self.folder / "daemon.log", "ab") as log:
            self.process = subprocess.Popen([*self.command, "--listen", self.address[7:]], stdout=log, stderr=log, start_new_session=True)
        self.pid = self.process.pid
        self.note.write_text(json.dumps({"address": self.address, "pid": self.pid}))

    def last_words(self) -> str:
        return "\n".join((self.folder / "daemon.log").read_text(errors="replace").splitlines()[-3:])

    def close(self) -> None:
        """Ends the daemon; trees that grow are grown on by the next one."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
        if self.process:
            self.process.wait()
        self.note.unlink(missing_ok=True)
