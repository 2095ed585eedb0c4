"""A tiny policy, and a daemon that serves it."""

from pathlib import Path

import pytest

from daemons import Program, tiny


@pytest.fixture(scope="module")
def cold(tmp_path_factory) -> Path:
    return tiny(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def program(tmp_path_factory, cold):
    program = Program(tmp_path_factory.mktemp("daemon") / "data", cold / "policy.gguf")
    program.start()
    yield program
    program.kill()
