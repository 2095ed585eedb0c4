"""Tests of sparkd_env.textworld and sparkd_env.textworld_express beside the real packages."""

import os
import random
import shutil
import tempfile
import unittest

from sparkd_env import Error
from sparkd_env import textworld as tw
from sparkd_env import textworld_express as twx

GAMES = os.environ.get("SPARKD_TEST_GAMES", "")  # a folder of games that tw-make made
TEXTS = ["dance", "take", "examine the", "look  around", "", "again", "wait", "undo", "ünï🦊", "look. wait"]


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, *names):
        for name in names:
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").close()

    def refused(self, words):
        with self.assertRaises(Error) as raised:
            tw.find(self.folder)
        self.assertEqual((raised.exception.code, raised.exception.field), ("invalid", "options.games"))
        self.assertIn(words, raised.exception.message)
        self.assertTrue(raised.exception.remedy)

    def test_games_in_a_folder_are_one_split(self):
        self.put("b.z8", "b.json", "a.z8", "a.json", "notes.txt")
        self.assertEqual(tw.find(self.folder), {"train": [os.path.join(self.folder, f) for f in ("a.z8", "b.z8")]})

    def test_folders_are_splits(self):
        self.put("train/a.z8", "train/a.json", "test/b.z8", "test/b.json", "empty/notes.txt")
        self.assertEqual(sorted(tw.find(self.folder)), ["test", "train"])

    def test_refusals(self):
        self.refused("no .z8 games")
        self.put("a.z8")
        self.refused("no .json")
        shutil.rmtree(self.folder)
        self.refused("no folder")
        os.makedirs(self.folder)

    def test_numbers(self):
        for text in ("0", "-1", "many", "", "²"):
            with self.assertRaises(Error) as raised:
                tw.positive("max_steps", text)
            self.assertEqual(raised.exception.field, "options.max_steps")
        self.assertEqual(tw.positive("max_steps", "12"), 12)


@unittest.skipIf(tw.missing or not GAMES, "needs textworld==1.7.0, and games in SPARKD_TEST_GAMES")
class TextWorldTest(unittest.TestCase):
    def test_says_what_the_package_says_and_snapshots_are_the_state(self):
        import textworld

        env = tw.TextWorld(GAMES)
        infos = textworld.EnvInfos(feedback=True, admissible_commands=True, objective=True, score=True)
        for split, index in [(s, i) for s in env.splits for i in range(env.splits[s])]:
            real = textworld.start(env.files[split][index], infos)
            for seed in range(6):
                self.walk(env, real, split, index, random.Random(seed))
            real.close()
        env.close()

    def walk(self, env, real, split, index, rng):
        state, o, score = real.reset(), env.reset(split, index), 0
        self.assertEqual((o.text.strip(), o.goal), (state.feedback.strip(), state.objective))
        for n in range(40):
            if rng.random() < 0.3:  # go astray and come back
                snapshot = env.snapshot()
                env.step(rng.choice(state.admissible_commands))
                env.restore(split, index, snapshot)
            action = rng.choice(state.admissible_commands if rng.random() < 0.75 else TEXTS)
            (state, _, done), o = real.step(action), env.step(action)
            self.assertEqual(o.text, state.feedback, action)
            self.assertEqual(sorted(set(o.admissible)), state.admissible_commands, action)
            self.assertEqual((o.reward, o.done, o.success), ((state.score or 0) - score, done, bool(state.won)), action)
            score = state.score or 0
            if done:
                return

    def test_commands_to_the_interpreter_are_not_passed_on(self):
        env = tw.TextWorld(GAMES)
        split = next(iter(env.splits))
        env.reset(split, 0)
        before = sorted(os.listdir())
        for action in ("save", "Restore", "look. save", "tw-trace-actions", "quit", "restart"):
            self.assertEqual(env.step(action).text, "That is no command of the game.")
        self.assertEqual(sorted(os.listdir()), before)
        self.assertNotIn("halted", env.step("a\x00b").text)
        env.close()


@unittest.skipIf(twx.missing or not shutil.which("java"), "needs textworld-express==1.1.0 and Java")
class TextWorldExpressTest(unittest.TestCase):
    def test_refusals(self):
        for options, field in [
            ({"game": "chess"}, "options.game"),
            ({"params": "colour=1"}, "options.params"),
            ({"max_steps": "0"}, "options.max_steps"),
        ]:
            with self.assertRaises(Error) as raised:
                twx.TextWorldExpress(**options)
            self.assertEqual((raised.exception.code, raised.exception.field), ("invalid", field))


class MissingTest(unittest.TestCase):
    @unittest.skipUnless(tw.missing and twx.missing, "the packages are installed")
    def test_missing_packages(self):
        for make in (lambda: tw.TextWorld("."), twx.TextWorldExpress):
            with self.assertRaises(Error) as raised:
                make()
            self.assertIn("pip install", raised.exception.remedy)


if __name__ == "__main__":
    unittest.main()
