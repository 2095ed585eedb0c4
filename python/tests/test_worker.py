"""Tests of the worker's side of the exec protocol."""

import io
import json
import os
import subprocess
import sys
import textwrap
import unittest

import sparkd_env
from sparkd_env import Env, Error, Observation, Worker


class Line(Env):
    """A walk on a line.

    More words.
    """

    version, sessions = "2", 2
    splits = {"all": sparkd_env.UNBOUNDED, "few": 3}
    closed = 0

    def __init__(self, goal: str = "9"):
        self.goal = int(goal)

    def reset(self, split, index):
        self.at = index
        return self.see("start")

    def step(self, action):
        if action == "break":
            raise KeyError("it broke")
        if action == "mend":
            raise Error("it is worn", remedy="mend it")
        if action == "nan":
            return Observation("?", reward=float("nan"))
        self.at += int(action)
        return self.see(str(self.at))

    def see(self, text):
        return Observation(text, admissible=["b", "a", "b"], done=self.at == self.goal, success=self.at == self.goal)

    def close(self):
        Line.closed += 1


class Forking(Line):
    def fork(self):
        copy = Forking()
        copy.at = self.at
        return copy


class Written(Line):
    def snapshot(self):
        return bytes([self.at, 255])

    def restore(self, split, index, state):
        self.at = state[0]


class WorkerTest(unittest.TestCase):
    def worker(self, factory=Line, **options):
        self.w = Worker(factory)
        self.hello = self.ok(op="hello", protocol=1, options=options)

    def ask(self, **request):
        answer = self.w.answer(json.dumps({"id": 7, **request}).encode())
        self.assertEqual(answer["id"], 7)
        self.assertEqual(json.loads(json.dumps(answer, allow_nan=False)), answer)
        return answer

    def ok(self, **request):
        answer = self.ask(**request)
        self.assertIn("ok", answer, answer)
        return answer["ok"]

    def refused(self, code, words, **request):
        error = self.ask(**request)["error"]
        self.assertEqual(error["code"], code)
        self.assertIn(words, json.dumps(error))
        return error

    def reset(self, session="a", split="all", index=0):
        return self.ok(op="reset", session=session, task={"split": split, "index": index})

    def step(self, action, session="a"):
        return self.ok(op="step", session=session, action=action)

    def test_hello(self):
        self.worker()
        self.assertEqual(
            self.hello,
            {
                "protocol": 1,
                "name": "Line",
                "version": "2",
                "about": "A walk on a line.",
                "fork": "replay",
                "splits": {"all": -1, "few": 3},
                "max_steps": 100,
                "replay": True,
                "sessions": 2,
            },
        )
        for factory, fork in [(Forking, "native"), (Written, "snapshot")]:
            self.worker(factory)
            self.assertEqual(self.hello["fork"], fork)

    def test_refused_hellos(self):
        self.w = Worker(Line)
        self.refused("invalid", "hello comes first", op="step", session="a", action="1")
        self.refused("invalid", "protocol 1", op="hello", protocol=2, options={})
        error = self.refused("invalid", "colour", op="hello", protocol=1, options={"colour": "red"})
        self.assertEqual((error["field"], error["remedy"]), ("options", "known options: goal"))

    def test_episode(self):
        self.worker(goal="3")
        self.assertEqual(
            self.reset(), {"text": "start", "reward": 0.0, "done": False, "success": False, "admissible": ["a", "b"]}
        )
        self.assertEqual(self.step("2")["text"], "2")
        self.assertTrue(self.step("1")["success"])
        self.refused("env", "reset first", op="step", session="a", action="1")
        self.assertEqual(self.reset()["text"], "start")

    def test_replay_stops_at_the_end(self):
        self.worker(goal="3")
        seen = self.ok(op="replay", session="a", task={"split": "all", "index": 0}, actions=["1", "2", "5"])[
            "observations"
        ]
        self.assertEqual([o["text"] for o in seen], ["start", "1", "3"])
        self.refused("env", "reset first", op="step", session="a", action="1")
        seen = self.ok(op="replay", session="a", task={"split": "all", "index": 0}, actions=[])["observations"]
        self.assertEqual([o["text"] for o in seen], ["start"])
        self.assertEqual(self.step("1")["text"], "1")

    def test_sessions(self):
        self.worker()
        self.reset("a"), self.reset("b", index=5)
        self.refused("unavailable", "no place", op="reset", session="c", task={"split": "all", "index": 0})
        self.assertEqual(self.step("1", "b")["text"], "6")
        self.assertEqual(self.step("1", "a")["text"], "1")
        self.ok(op="close", session="a")
        self.reset("c", index=2)
        self.refused("env", "reset first", op="step", session="a", action="1")
        self.assertEqual(self.step("1", "c")["text"], "3")

    def test_fork(self):
        self.worker(Forking)
        self.reset("a"), self.step("2")
        self.ok(op="fork", session="a", to="b")
        self.assertEqual((self.step("1")["text"], self.step("5", "b")["text"]), ("3", "7"))
        self.ok(op="fork", session="a", to="b")  # instead of what is there
        self.assertEqual(self.step("1", "b")["text"], "4")
        self.refused("unavailable", "no place", op="fork", session="a", to="c")
        for _ in range(5):  # does not pile up instances
            self.ok(op="close", session="b"), self.ok(op="fork", session="a", to="b")
        self.assertLessEqual(len(self.w.spare), 2)

    def test_snapshot(self):
        self.worker(Written)
        self.reset("a"), self.step("2")
        state = self.ok(op="snapshot", session="a")["state"]
        self.assertEqual(state, "Av8=")
        self.step("1")
        self.ok(op="restore", session="b", task={"split": "all", "index": 0}, state=state)
        self.assertEqual(self.step("1", "b")["text"], "3")

    def test_failures_are_answers(self):
        self.worker()
        self.reset()
        self.refused("env", "KeyError: 'it broke'", op="step", session="a", action="break")
        self.refused("env", '"mend it"', op="step", session="a", action="mend")
        self.refused("env", "a reward of nan", op="step", session="a", action="nan")
        self.refused("invalid", "unknown op", op="jump")
        self.refused("invalid", "all, few", op="reset", session="a", task={"split": "none", "index": 0})
        self.refused("invalid", "0 to 2", op="reset", session="a", task={"split": "few", "index": 3})
        self.refused("env", "KeyError", op="step")
        self.assertIn("error", self.w.answer(b"no json"))
        self.assertEqual(self.step("1")["text"], "1")

    def test_closes_all_instances_at_the_end(self):
        Line.closed = 0
        lines = [
            {"id": 1, "op": "hello", "protocol": 1},
            {"id": 2, "op": "reset", "session": "a", "task": {"split": "all", "index": 0}},
            {"id": 3, "op": "reset", "session": "b", "task": {"split": "all", "index": 0}},
            {"id": 4, "op": "close", "session": "b"},
        ]
        answers = io.BytesIO()
        Worker(Line).run(io.BytesIO(b"".join(json.dumps(r).encode() + b"\n" for r in lines)), answers)
        self.assertEqual([json.loads(a)["id"] for a in answers.getvalue().splitlines()], [1, 2, 3, 4])
        self.assertEqual(Line.closed, 2)


class ServeTest(unittest.TestCase):
    def test_nothing_else_reaches_stdout_or_reads_stdin(self):
        code = textwrap.dedent("""
            import os, subprocess, sys
            import sparkd_env
            class Noisy(sparkd_env.Env):
                def reset(self, split, index):
                    print("a print")
                    os.write(1, b"a write\\n")
                    subprocess.run(["cat"]), subprocess.run(["echo", "a child"])
                    return sparkd_env.Observation("quiet", goal=repr(sys.stdin.read()))
            sparkd_env.serve(Noisy)
        """)
        requests = (
            b'{"id":1,"op":"hello","protocol":1}\n'
            b'{"id":2,"op":"reset","session":"a","task":{"split":"train","index":0}}\n'
        )
        p = subprocess.run(
            [sys.executable, "-c", code],
            input=requests,
            capture_output=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(p.returncode, 0, p.stderr)
        answers = [json.loads(line) for line in p.stdout.splitlines()]
        self.assertEqual([a["id"] for a in answers], [1, 2])
        self.assertEqual((answers[1]["ok"]["text"], answers[1]["ok"]["goal"]), ("quiet", "''"))
        for words in (b"a print", b"a write", b"a child"):
            self.assertIn(words, p.stderr)

    def test_the_documented_class_is_the_one_of_the_package(self):
        page = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "environments.md")
        with open(page, encoding="utf-8") as f:
            text = f.read()
        start = text.index("```python\n") + len("```python\n")
        code = text[start : text.index("```", start)]
        self.assertIn(textwrap.indent(code, "    ", lambda line: line.strip()), sparkd_env.__doc__)


if __name__ == "__main__":
    unittest.main()
