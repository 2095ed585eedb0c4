"""Atropos: its pydantic model, and its server over HTTP."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import truth

GROUP = 3  # sequences of the fixed groups in the append context


def test_the_model_takes_every_line():
    from atroposlib.api.server import ScoredData

    lines = truth.lines("atropos")
    assert lines
    for line in lines:
        kept = ScoredData(**line).model_dump()
        assert {name: kept[name] for name in line} == line, "a field was changed or dropped"


@pytest.fixture
def server(tmp_path):
    """The address of a running run-api; its process ends with the test."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [Path(sys.executable).parent / "run-api", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                call(address, "/")
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def call(address, route, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + route, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_the_server_hands_groups_on(batch, run, server):
    lines = batch("atropos", lambda line: line["group_overrides"]["group_size"] == GROUP)
    assert len(lines) == 2
    trainer = {
        "wandb_group": "g",
        "wandb_project": "p",
        "batch_size": GROUP,
        "max_token_len": 4096,
        "checkpoint_dir": "out",
    }
    call(server, "/register", trainer | {"save_checkpoint_interval": 0, "starting_step": 0, "num_steps": 2})
    assert call(server, "/batch")["batch"] is None  # environments may register from the first request on

    names = run("atropos", {'"http://127.0.0.1:8000"': repr(server)})
    assert names["env"]["status"] == "success"
    assert call(server, "/status")["queue_size"] == len(lines)

    got = [call(server, "/batch")["batch"] for _ in lines]
    assert call(server, "/batch")["batch"] is None
    columns = ("tokens", "masks", "scores", "advantages", "inference_logprobs")
    taken = sorted(([group[name] for name in columns] for batch in got for group in batch))
    assert taken == sorted([line[name] for name in columns] for line in lines)
