"""Trains a model with TRL's GRPOTrainer on rollouts of a running daemon.

    make build model
    bin/sparkd serve --data out/daemon --model ~/.cache/sparkd/models/SmolLM2-135M-Instruct.Q4_1.gguf
    $(scripts/trainers-venv trl)/bin/python trainers/trl_grpo.py --steps 2 \
        --model ~/.cache/sparkd/models/SmolLM2-135M-Instruct.Q4_1.gguf

Each optimiser step asks for one tree a task, waits for the trees and trains their
trajectories with the estimator's advantage of every token. This example does not move the
engine to the new weights (train/rl.py does), so that from the second step on the rollouts are
of an older policy; the loss is right for that, because its ratio is to the engine's logprobs.
"""

import argparse
import json
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import pad

COLUMNS = ("prompt_ids", "completion_ids", "logprobs", "env_mask", "reward")


class Daemon:
    def __init__(self, address: str):
        self.address = address

    def call(self, route: str, body: dict | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.address + route, data), timeout=60) as answer:
            return answer.read()

    def rollout(self, spec: dict, deadline: float) -> list[dict]:
        """Submits a rollout, waits until its trees have ended and returns their lines."""
        made = json.loads(self.call("/v1/rollouts", spec))
        end = time.monotonic() + deadline
        while made["state"] in ("queued", "running"):
            if time.monotonic() > end:
                raise TimeoutError(f"rollout {made['id']} is {made['state']} after {deadline} seconds")
            time.sleep(0.5)
            made = json.loads(self.call(f"/v1/rollouts/{made['id']}"))
        if made["state"] != "done":
            raise RuntimeError(f"rollout {made['id']} {made['state']}: {made.get('error')}")
        query = urllib.parse.urlencode({"rollout": made["id"], "format": "trl-grpo", "advantage": "spark-rows"})
        return [json.loads(line) for line in self.call(f"/v1/export?{query}").splitlines()]


class TreeGRPO(GRPOTrainer):
    """GRPO on trees: groups are the leaves of a tree, advantages those of the export."""

    daemon: Daemon
    spec: dict

    def ask(self, prompts: list[str]) -> dict:
        """TRL's rollout_func. A prompt is a task's index, and stands there once a leaf."""
        leaves = self.num_generations
        indices = [int(p) for p in prompts[::leaves]]
        spec = self.spec | {
            "tasks": self.spec["tasks"] | {"indices": indices},
            "budget": {"leaves": leaves},
            "seed": self.state.global_step,
        }
        groups = defaultdict(list)
        for line in self.daemon.rollout(spec, deadline=1800):
            groups[int(line["metadata"]["uid"].rsplit("/", 1)[1])].append(line)
        if missing := set(indices) - groups.keys():
            raise RuntimeError(f"no trajectory of tasks {sorted(missing)} ended")
        self.taken = [line for i in indices for line in groups[i] + [idle(groups[i][0])] * (leaves - len(groups[i]))]
        return {name: [line[name] for line in self.taken] for name in COLUMNS}

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        origins = [line["metadata"] for line in self.taken]
        rows = [torch.tensor(o["advantages"]) * torch.tensor(o["weights"]) for o in origins]
        batch["advantages"] = pad(rows, padding_value=0.0).to(batch["completion_ids"].device)
        batch["old_per_token_logps"] = batch["sampling_per_token_logps"]
        return batch


def idle(line: dict) -> dict:
    """A line that trains nothing, in the place of a branch that failed."""
    n = len(line["completion_ids"])
    return line | {"env_mask": [0] * n, "metadata": line["metadata"] | {"advantages": [0.0] * n}}


def load(path: Path) -> tuple:
    """Model and tokenizer from a folder of weights, or from a GGUF with its weights unpacked."""
    source = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    folder = path.parent if source else path
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **source)
    model.is_quantized = False  # unpacked weights are trained like any others
    return model, AutoTokenizer.from_pretrained(folder, **source)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sparkd", default="http://127.0.0.1:8787", help="address of the daemon")
    options.add_argument(
        "--model", type=Path, required=True, help="the daemon's model: a folder of weights or a GGUF file"
    )
    options.add_argument("--steps", type=int, default=10, help="optimiser steps")
    options.add_argument("--tasks", type=int, default=1, help="tasks a step")
    options.add_argument("--leaves", type=int, default=8, help="trajectories a task")
    options.add_argument("--max-steps", type=int, default=3, help="of a trajectory")
    options.add_argument("--max-tokens", type=int, default=40, help="of a step")
    options.add_argument("--temperature", type=float, default=1, help="of sampling; the logprobs are those of 1")
    o = options.parse_args()

    model, tokenizer = load(o.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    trainer = TreeGRPO(
        model=model,
        processing_class=tokenizer,
        reward_funcs=lambda reward, **rest: reward,
        rollout_func=lambda prompts, trainer: trainer.ask(prompts),
        train_dataset=Dataset.from_dict({"prompt": [str(i) for i in range(o.tasks * o.steps)]}),
        args=GRPOConfig(
            "out/trl",
            max_steps=o.steps,
            num_generations=o.leaves,
            per_device_train_batch_size=o.tasks * o.leaves,
            learning_rate=1e-5,
            use_cpu=not torch.cuda.is_available(),
            bf16=torch.cuda.is_available(),
            gradient_checkpointing=False,
            logging_steps=1,
            report_to=[],
            save_strategy="no",
        ),
    )
    trainer.daemon = Daemon(o.sparkd)
    trainer.spec = {
        "tasks": {"env": "household", "split": "train"},
        "policy": {"name": "spark", "roots": max(1, o.leaves // 2), "branch": 2},
        "sampling": {"temperature": o.temperature, "max_tokens": o.max_tokens},
        "max_steps": o.max_steps,
    }
    trainer.train()


if __name__ == "__main__":
    main()
