"""Tests of what an environment may return, and of what sparkd is told when it fails."""

import io
import json
import unittest
from contextlib import redirect_stderr
from fractions import Fraction

import sparkd_env
from sparkd_env import Env, Error, Observation, Worker

try:
    import numpy
except ImportError:
    numpy = None

PLAIN = {"text": "a", "reward": 0.0, "done": False, "success": False}


class Says(Env):
    """Returns what it is told to."""

    sessions = 2
    first = Observation("start")
    then = Observation("a")
    state = b"s"
    copy = None

    def reset(self, split, index):
        return self.first

    def step(self, action):
        return self.then

    def fork(self):
        return self.copy


class ObservationTest(unittest.TestCase):
    def ask(self, op, env=Says, **request):
        w = Worker(env)
        answers = [json.loads(line) for line in self.lines(w, op, request)]
        return answers[-1].get("ok", answers[-1].get("error"))

    def lines(self, w, op, request):
        task = {"split": "train", "index": 0}
        requests = [
            {"op": "hello", "protocol": 1, "options": {}},
            {"op": "reset", "session": "a", "task": task},
            {"op": op, "session": "a", "action": "x", "actions": ["x"], "task": task, "to": "b", **request},
        ]
        answers = io.BytesIO()
        with redirect_stderr(io.StringIO()):
            w.run(io.BytesIO(b"".join(json.dumps({"id": 1, **r}).encode() + b"\n" for r in requests)), answers)
        lines = answers.getvalue().splitlines()
        self.assertEqual(len(lines), len(requests), lines)
        return lines

    def step(self, value):
        return self.ask("step", type("Says", (Says,), {"then": value}))

    def test_taken(self):
        for value, want in [
            (Observation("a"), {}),
            (Observation("", goal="g"), {"text": "", "goal": "g"}),
            (Observation("a", admissible=[]), {"admissible": []}),
            (Observation("a", admissible=("b", "a", "b")), {"admissible": ["a", "b"]}),
            (Observation("a", admissible={"b", "a"}), {"admissible": ["a", "b"]}),
            (Observation("a", reward=3), {"reward": 3.0}),
            (Observation("a", reward=Fraction(1, 4)), {"reward": 0.25}),
            (Observation("a", reward=-1.5, done=True, success=True), {"reward": -1.5, "done": True, "success": True}),
            (("a", 1, False, False, {}), {"reward": 1.0}),
            (("a", 0.5, True, False, {"success": True}), {"reward": 0.5, "done": True, "success": True}),
            (("a", 0.5, True, False, {"is_success": True}), {"reward": 0.5, "done": True, "success": True}),
            (("a", 0.0, False, True, {"other": object()}), {"done": True}),
            (("a", 0.0, False, False, {"success": True, "admissible": ["b", "a"]}), {"admissible": ["a", "b"]}),
        ]:
            self.assertEqual(self.step(value), {**PLAIN, **want}, value)

    def test_reset_of_gymnasium(self):
        says = type("Says", (Says,), {"first": ("a", {"goal": "g", "admissible": ["b"], "success": 3})})
        self.assertEqual(self.ask("reset", says), {**PLAIN, "goal": "g", "admissible": ["b"]})
        seen = self.ask("replay", says)["observations"]
        self.assertEqual([o["text"] for o in seen], ["a", "a"])

    def test_refused(self):
        for value, words in [
            (Observation(None), "step gave a text of None (NoneType)"),
            (Observation(["a", "b"]), "a text of ['a', 'b'] (list)"),
            (Observation(b"a"), "a text of b'a' (bytes)"),
            (Observation("a\udcff"), "a text of '\\udcff' (str)"),
            (Observation("a", 1.0), "a goal of 1.0 (float)"),
            (Observation("a", goal=None), "a goal of None"),
            (Observation("a", admissible="go north"), "an admissible of 'go north' (str)"),
            (Observation("a", admissible=["go", 3]), "an admissible action of 3 (int)"),
            (Observation("a", admissible={"go": 1}), "an admissible of {'go': 1} (dict)"),
            (Observation("a", reward=None), "a reward of None"),
            (Observation("a", reward="1"), "a reward of '1' (str)"),
            (Observation("a", reward=True), "a reward of True (bool)"),
            (Observation("a", reward=[1.0]), "a reward of [1.0] (list)"),
            (Observation("a", reward=1j), "a reward of 1j (complex)"),
            (Observation("a", reward=float("inf")), "a reward of inf"),
            (Observation("a", reward=float("nan")), "a reward of nan"),
            (Observation("a", reward=10**400), "a reward of 1000"),
            (Observation("a", done=[False]), "a done of [False] (list)"),
            (Observation("a", done="False"), "a done of 'False' (str)"),
            (Observation("a", done=0), "a done of 0 (int)"),
            (Observation("a", done=None), "a done of None"),
            (Observation("a", success=1), "a success of 1 (int)"),
            (None, "step returned None (NoneType), not an Observation"),
            ("You go north.", "step returned 'You go north.' (str), not an Observation"),
            ({"text": "a"}, "not an Observation"),
            ((), "step returned a tuple of 0"),
            (("a", {}), "step returned a tuple of 2"),
            (("a", 1.0, True, {}), "step returned a tuple of 4"),
            (("a", 1.0, False, False, None), "step returned a tuple of 5"),
            ((None, 1.0, False, False, {}), "a text of None"),
            (("a", None, False, False, {}), "a reward of None"),
            (("a", 1.0, 0, False, {}), "a terminated of 0 (int)"),
            (("a", 1.0, False, None, {}), "a truncated of None"),
            (("a", 1.0, True, False, {"success": "yes"}), "a success of 'yes' (str)"),
        ]:
            error = self.step(value)
            self.assertIn(words, error["message"], value)
            self.assertTrue(error["remedy"], value)
        for value in [("a", 1.0, False, False, {}), ("a",), None, "a"]:
            error = self.ask("reset", type("Says", (Says,), {"first": value}))
            self.assertIn("reset returned", error["message"], value)

    @unittest.skipIf(numpy is None, "NOT RUN: numpy is not installed")
    def test_numpy(self):
        for value, want in [
            (Observation("a", reward=numpy.float32(0.5)), {"reward": 0.5}),
            (Observation("a", reward=numpy.float64(0.1)), {"reward": 0.1}),
            (Observation("a", reward=numpy.int64(3)), {"reward": 3.0}),
            (Observation("a", done=numpy.bool_(True), success=numpy.bool_(True)), {"done": True, "success": True}),
            (Observation(numpy.str_("a")), {}),
            (("a", numpy.float32(1), numpy.bool_(False), numpy.bool_(True), {}), {"reward": 1.0, "done": True}),
        ]:
            self.assertEqual(self.step(value), {**PLAIN, **want}, value)
        for value, words in [
            (Observation("a", reward=numpy.array([1.0])), "a reward of array([1.]) (ndarray)"),
            (Observation("a", reward=numpy.float64("nan")), "a reward of"),
            (Observation("a", reward=numpy.bool_(True)), "a reward of"),
            (Observation("a", done=numpy.array([True])), "a done of array([ True]) (ndarray)"),
            (Observation("a", admissible=numpy.array(["a"])), "an admissible of array("),
        ]:
            self.assertIn(words, self.step(value)["message"], value)

    def test_other_answers(self):
        for copy in [None, "itself"]:
            says = type("Says", (Says,), {"fork": lambda self, copy=copy: self if copy else None})
            self.assertIn("fork returned", self.ask("fork", says)["message"])
        written = {"restore": lambda self, split, index, state: None, "fork": Env.fork}
        for state in [None, "state", b"", 3]:
            says = type("Says", (Says,), {**written, "snapshot": lambda self, state=state: state})
            self.assertIn("snapshot returned", self.ask("snapshot", says)["message"])
        for seen in [None, [], (Observation("a"),), [Observation("a")] * 3]:
            says = type("Says", (Says,), {"replay": lambda self, split, index, actions, seen=seen: seen})
            self.assertIn("replay of 1 actions returned", self.ask("replay", says)["message"])

    def test_attributes(self):
        for attributes, words in [
            ({"max_steps": "10"}, "the attribute max_steps of the class is '10' (str)"),
            ({"max_steps": 10.0}, "max_steps"),
            ({"sessions": True}, "sessions"),
            ({"splits": ["train"]}, "splits"),
            ({"splits": {"train": "many"}}, "splits"),
            ({"splits": {1: 1}}, "splits"),
            ({"names": {"train": "abc"}}, "names"),
            ({"version": 2}, "the attribute version of the class is 2 (int)"),
            ({"about": 3}, "about"),
            ({"examples": {"text": "a"}}, "examples"),
            ({"examples": [{"text": object()}]}, "not JSON serializable"),
        ]:
            error = self.ask("hello", type("Says", (Says,), {"reset": lambda *_: PLAIN, **attributes}), protocol=1)
            self.assertIn(words, error["message"], attributes)

    def test_exceptions(self):
        class Broken(Says):
            def step(self, action):
                return {}["gone"]

        error = self.ask("step", Broken)
        self.assertRegex(
            error["message"], r"^KeyError: 'gone' \(.*test_observation\.py, line \d+, in step: return .*\)$"
        )

        class Deep(Says):
            def step(self, action):
                return json.loads("{")

        self.assertRegex(
            self.ask("step", Deep)["message"], r"^JSONDecodeError: .*test_observation\.py, line \d+, in step"
        )

        class Mute(Exception):
            def __str__(self):
                raise ValueError

        for e, words in [
            (Mute(), "Mute: an exception without words"),
            (ValueError("\udcff"), "ValueError: \\udcff"),
            (Error(KeyError("k")), "'k'"),
            (RecursionError("deep"), "RecursionError: deep"),
        ]:

            def step(self, action, e=e):
                raise e

            self.assertIn(words, self.ask("step", type("Says", (Says,), {"step": step}))["message"])

    def test_drive_tells_the_same(self):
        copies = sparkd_env.session._Copies(type("Says", (Says,), {"then": Observation("a", done="no")}))
        task = {"split": "train", "index": 0}
        self.assertIn("observation", copies.answer({"id": 1, "op": "reset", "copy": 1, "task": task})[0])
        answer = copies.answer({"id": 2, "op": "step", "copy": 1, "action": ""})[0]
        self.assertEqual(answer, {"id": 2, "error": "step gave a done of 'no' (str) (make it True or False)"})


if __name__ == "__main__":
    unittest.main()
