#!/usr/bin/env python3
"""Makes a store with the sparkd that is named, and what that sparkd exports of it.

    make.py SPARKD ARCHIVE.tar.zst

The archive holds data/, the folder of a daemon that was killed while a rollout grew, and
the exports rows.jsonl and tree.jsonl of its finished trees. It needs GNU tar and zstd.

format1.tar.zst was made with the sparkd of commit 9b5c5a2, the last whose stores have
format 1; it never changes. A later format gets an archive of its own, made the same way.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

WORKER = """
import json, sys
for line in sys.stdin:
    q = json.loads(line)
    if q["op"] == "hello":
        a = {"ok": {"protocol": 1, "name": "broken", "version": "1", "about": "Breaks.", "max_steps": 9, "fork": "replay",
                    "splits": {"train": 9}}}
    else:
        a = {"error": {"code": "env", "message": "broken", "remedy": "none"}}
    print(json.dumps({"id": q["id"], **a}), flush=True)
"""
CONFIG = """
[daemon]
trees = 3
[log]
level = "warn"
[env.broken]
kind = "exec"
command = ["python3", "broken.py"]
"""
SMALL = {"max_steps": 6, "seed": 7, "sampling": {"max_tokens": 24}}
GROWN = [
    {"id": "spark", "policy": {"name": "spark", "roots": 2}, "budget": {"leaves": 4}, "tasks": {"count": 2}},
    {"id": "chains", "policy": {"name": "linear"}, "budget": {"leaves": 3}, "tasks": {"count": 2, "from": 4}},
    {"id": "random", "policy": {"name": "random", "roots": 2, "probability": 0.7}, "budget": {"leaves": 4},
     "sampling": {"max_tokens": 24, "temperature": 0.7, "top_p": 0.9}, "context": {"mode": "window", "window": 2}},
    {"id": "failed", "tasks": {"env": "broken"}, "budget": {"leaves": 8}},
]
LONG = {"max_steps": 12, "policy": {"name": "spark", "roots": 2}, "budget": {"leaves": 4}, "tasks": {"count": 4}}


class Daemon:
    """sparkd serve on a data folder."""

    def __init__(self, sparkd, work):
        self.address = work / "data" / "address.json"
        self.address.unlink(missing_ok=True)
        command = [sparkd, "serve", "-c", "config.toml", "--data", "data", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, cwd=work)
        while not self.address.exists() or not self.address.read_text().endswith("\n"):
            assert self.process.poll() is None
            time.sleep(0.01)
        self.url = "http://" + json.loads(self.address.read_text())["address"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, method=method)) as answer:
            return json.load(answer)

    def submit(self, **spec):
        return self.call("POST", "/v1/rollouts", SMALL | spec)

    def until(self, rollout, reached):
        while not reached(r := self.call("GET", "/v1/rollouts/" + rollout)):
            time.sleep(0.002)
        return r

    def rounds(self, rollout):
        """The committed rounds of a rollout's trees that still grow."""
        trees = self.call("GET", "/v1/rollouts/" + rollout)["trees"]
        rounds = []
        for tree in trees:
            try:
                t = self.call("GET", "/v1/trees/" + tree)
            except urllib.error.HTTPError:
                continue  # not begun
            if t["state"] == "growing":
                rounds.append(t["round"])
        return rounds

    def end(self, signal):
        self.process.send_signal(signal)
        self.process.wait()


def ended(rollout):
    return rollout["state"] in ("done", "failed", "canceled")


def drive(daemon):
    """A session: three steps forward open the door."""
    spec = SMALL | {"id": "session", "tasks": {"split": "train"}, "budget": {"leaves": 2}, "policy": {"roots": 2}}
    daemon.call("POST", "/v1/sessions", {"rollout": spec, "fork": "native"})
    steps, after = {}, 0
    while True:
        answer = daemon.call("GET", f"/v1/sessions/session/calls?after={after}&wait=20")
        answers = []
        for c in answer["calls"]:
            after = max(after, c["id"])
            steps[c["copy"]] = {"reset": 0, "step": steps.get(c["copy"], 0) + 1,
                                "fork": steps.get(c.get("from"), 0)}.get(c["op"], 0)
            n = steps[c["copy"]]
            observation = {"text": f"You are {n} steps from the door.", "goal": "go on", "reward": float(n == 3),
                           "admissible": ["go on", "go back"], "done": n == 3, "success": n == 3}
            if c["op"] in ("reset", "step"):
                answers.append({"id": c["id"], "observation": observation})
            elif c["op"] == "fork":
                answers.append({"id": c["id"]})
        if answers:
            daemon.call("POST", "/v1/sessions/session/answers", {"answers": answers})
        if answer["state"] in ("done", "failed", "canceled"):
            return


def main(sparkd, archive):
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "broken.py").write_text(WORKER)
        (work / "config.toml").write_text(CONFIG)
        daemon = Daemon(sparkd, work)
        for spec in GROWN:
            daemon.submit(**spec)
        drive(daemon)
        for spec in GROWN:
            print(daemon.until(spec["id"], ended)["state"], spec["id"])
        daemon.submit(id="canceled", **LONG)
        while max(daemon.rounds("canceled"), default=0) < 3:
            pass
        daemon.call("DELETE", "/v1/rollouts/canceled")
        daemon.until("canceled", ended)
        daemon.end(15)  # what is stored so far lies in a table

        daemon = Daemon(sparkd, work)
        daemon.submit(id="late", tasks={"count": 1, "from": 7}, budget={"leaves": 2}, policy={"roots": 2})
        daemon.until("late", ended)
        daemon.submit(id="growing", **LONG)
        while min(daemon.rounds("growing") or [0]) < 4:
            pass
        daemon.end(9)  # and the rest in the write-ahead log
        (work / "data" / "address.json").unlink()
        for form in "rows", "tree":
            copy = work / "copy"
            shutil.copytree(work / "data", copy)
            export = [sparkd, "export", "--data", copy, "--format", form, "--text", "--entropies"]
            (work / f"{form}.jsonl").write_bytes(subprocess.run(export, check=True, stdout=subprocess.PIPE).stdout)
            shutil.rmtree(copy)
        names = ["data", "rows.jsonl", "tree.jsonl"]
        tar = ["tar", "--sparse", "--sort=name", "--owner=0", "--group=0", "--mode=u+rw", "-C", work, "-c", *names]
        packed = subprocess.Popen(tar, stdout=subprocess.PIPE)
        subprocess.run(["zstd", "-19", "-q", "-f", "-o", archive], stdin=packed.stdout, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
