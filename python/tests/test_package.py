"""Tests of the package as pip installs it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PACKAGE = pathlib.Path(__file__).parent.parent


def files(folder):
    return {p.relative_to(folder) for p in pathlib.Path(folder).rglob("*") if "__pycache__" not in p.parts}


class InstallTest(unittest.TestCase):
    def test_an_installation_leaves_the_checkout_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "source"), pathlib.Path(folder, "target")
            shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
            before = files(source)
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
            environment = {**os.environ, "PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            self.assertEqual(files(source), before)
            if done.returncode != 0:
                self.skipTest("pip cannot fetch what builds the package: " + done.stderr[-300:])
            installed = {p.name for p in (target / "sparkd_env").iterdir()}
            self.assertLessEqual({p.name for p in (source / "sparkd_env").iterdir()}, installed)


if __name__ == "__main__":
    unittest.main()
