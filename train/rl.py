"""Trains a policy in a closed loop with a daemon: rollouts, policy gradient, new weights, again.

    bin/sparkd serve --data out/daemon --model bundled/household.gguf                # in one terminal
    python3 train/rl.py --model bundled/hf --out out/rl --steps 100 --eval-every 10  # in another

Every step asks the daemon to grow one tree a task, reads the finished trees with the advantages of
the chosen estimator, makes a few optimiser steps with PPO's clipped loss and a KL penalty to the
policy that training began with, writes the new policy and moves the daemon to it, in place.

OUT has metrics.jsonl (a line per step and per evaluation), curves.svg and the last policies:
OUT/step-N is a Hugging Face folder with policy.gguf in it. The same command again goes on
in the step it was in, with the rollout that has grown meanwhile. A daemon that is away is waited
for, and one that was started anew gets the current weights.
"""

import argparse
import json
import math
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers

import curves
import model as policy
from batch import Sequence, micro, pad, sequences
from daemon import Daemon, Refused, Spawned
from flags import real, whole
from run import Run


def logprobs(model, group: list[Sequence], temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of all trained tokens of a group, in order: log-probability and entropy, in nats, of the
    distribution that is sampled from. Logits are computed for these tokens alone."""
    ids, mask = pad(group, "ids"), pad(group, "mask", False)
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    logp = torch.log_softmax(model.lm_head(hidden[mask[:, 1:]]) / temperature, dim=-1)
    entropy = -(logp.detach().exp() * logp.detach()).sum(-1)
    return logp.gather(-1, ids[mask].unsqueeze(-1)).squeeze(-1), entropy


def token_loss(logp, old, reference, advantages, o) -> dict[str, torch.Tensor]:
    """PPO's clipped loss (arXiv 1707.06347, eq. 7), bounded at `dual_clip` where the advantage is
    negative (arXiv 1912.09729, eq. 5), plus the KL penalty as its estimate k3. `old` are the
    logprobs of whichever weights drew the token: the ratio makes up for tokens of other versions."""
    ratio = (logp - old).clamp(-20, 20).exp()
    free, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - o.clip, 1 + o.clip)
    gradient = torch.maximum(free, clipped)
    gradient = torch.where(advantages < 0, gradient.minimum(-advantages * o.dual_clip), gradient)
    gap = (reference - logp).clamp(-20, 20)
    kl = (gap.exp() - gap - 1).clamp(max=10)
    return {"loss": gradient + o.kl * kl, "kl": kl, "clip_fraction": (clipped > free).float()}


def update(model, reference, optimizer, batch: list[Sequence], o) -> dict:
    """One pass over the batch in `minibatches` optimiser steps, each on the mean loss of its tokens,
    by weight. Returns means over the batch, and first_step."""
    totals, gaps = {"grad_norm": 0.0}, []
    order = torch.randperm(len(batch)).tolist()
    parts = [[batch[i] for i in order[n :: o.minibatches]] for n in range(min(o.minibatches, len(batch)))]
    everything = sum(s.weights.sum() for s in batch)
    for number, part in enumerate(parts):
        total = sum(s.weights.sum() for s in part)
        for group in micro(part, o.batch_tokens):
            mask = pad(group, "mask", False)
            old, advantages, weights = (
                pad(group, name)[mask].float() for name in ("logprobs", "advantages", "weights")
            )
            logp, entropy = logprobs(model, group, o.temperature)
            with torch.no_grad():
                base = logprobs(reference, group, o.temperature)[0] if o.kl else logp.detach()
            values = token_loss(logp, old, base, advantages, o) | {"entropy": entropy}
            ((weights * values["loss"]).sum() / total).backward()
            for name, value in values.items():
                totals[name] = totals.get(name, 0) + (weights * value.detach()).sum().item() / everything
            if number == 0:
                gaps.append((logp.detach() - old)[pad(group, "fresh", False)[mask]])
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), o.grad_clip).item()
        if not math.isfinite(norm):
            raise SystemExit(
                f"the gradient is {norm}: nothing of this step was kept; "
                f"the same command tries it again, a lower --lr in another --out may help"
            )
        totals["grad_norm"] += norm / len(parts)
        optimizer.step()
        optimizer.zero_grad()
    return totals | first_step(torch.cat(gaps).double())


def first_step(gap: torch.Tensor) -> dict:
    """|logprob(engine) − logprob(trainer)| and the importance ratio at the first optimiser step, where
    both have the same weights: what rounding does."""
    if not len(gap):
        return {"logprob_gap": None, "ratio": None}
    size, ratio = gap.abs(), gap.exp()
    p50, p99 = size.quantile(torch.tensor([0.5, 0.99], dtype=size.dtype)).tolist()
    return {
        "logprob_gap": {"mean": size.mean().item(), "p50": p50, "p99": p99, "max": size.max().item()},
        "ratio": {"mean": ratio.mean().item(), "min": ratio.min().item(), "max": ratio.max().item()},
    }


def grow(run: Run, daemon: Daemon, o, purpose: str, spec: dict) -> tuple[dict, list[dict], float]:
    """A rollout by this step's policy, its finished trees, and the seconds it took. Its id makes it the
    same rollout whenever it is asked for."""
    began = time.monotonic()
    spec |= {
        "id": f"{run.version}.{purpose}",
        "sampling": {"temperature": o.temperature, "max_tokens": o.max_tokens},
        "max_steps": o.max_steps,
        "seed": random.Random(f"{o.seed}/{run.step}/{purpose}").getrandbits(50),
    }
    rollout = daemon.grow(spec, run.weights, run.version)
    return rollout, daemon.trees(rollout["id"], o.advantage), time.monotonic() - began


def check(daemon: Daemon, o) -> None:
    """Refuses tasks that are not there, before the daemon is moved to other weights."""
    daemon.tasks(o.env, o.split, o.tasks)
    for split in o.eval_split.split(",") if o.eval_every else ():
        daemon.tasks(o.env, split, o.eval_tasks, flags="--eval-")


def evaluate(run: Run, daemon: Daemon, o) -> None:
    """Success on the same tasks every time, in independent chains at the temperature of training."""
    for split in o.eval_split.split(","):
        tasks = {"env": o.env, "split": split, "count": o.eval_tasks}
        spec = {"tasks": tasks, "policy": {"name": "linear"}, "budget": {"leaves": o.eval_samples}}
        rollout, trees, seconds = grow(run, daemon, o, f"eval.{split}", spec)
        won = {t["task"]: [leaf["outcome"] == "success" for leaf in t["leaves"]] for t in trees if t["leaves"]}
        counts = {task: [sum(wins), len(wins)] for task, wins in sorted(won.items())}
        success = np.mean([w / n for w, n in counts.values()]).item()
        failed = rollout["trees_failed"]
        run.write({"eval": split, "success": success, "tasks": counts, "trees_failed": failed, "eval_seconds": seconds})


def train_step(run: Run, daemon: Daemon, o, model, tokenizer, reference, optimizer, reload_seconds: float) -> None:
    """One step: rollout, update, the next policy."""
    drawn = random.Random(f"{o.seed}/{run.step}").sample(daemon.tasks(o.env, o.split, o.tasks), o.tasks)
    branching = {"name": o.policy, "roots": o.roots or None, "branch": o.branch} | dict(o.parameter)
    spec = {
        "tasks": {"env": o.env, "split": o.split, "indices": drawn},
        "policy": branching,
        "budget": {"leaves": o.leaves},
    }
    rollout, trees, rollout_seconds = grow(run, daemon, o, "train", spec)

    began = time.monotonic()
    batch = sequences(trees, run.version)
    if not batch:
        raise SystemExit(
            f"rollout {rollout['id']} has nothing to train on: "
            f"{rollout['trees_failed']} of {o.tasks} trees failed; see the daemon's log"
        )
    torch.manual_seed(o.seed * 1_000_003 + run.step)
    metrics = update(model, reference, optimizer, batch, o)
    train_seconds = time.monotonic() - began
    run.save_policy(model, tokenizer, optimizer, run.step + 1)

    stats, leaves = rollout["stats"], [leaf for t in trees for leaf in t["leaves"]]
    spent = {"generated_tokens": stats["generated_tokens"], "env_steps": stats["env_steps"]}
    spent["seconds"] = reload_seconds + rollout_seconds + time.monotonic() - began
    run.state |= {name: run.state[name] + value for name, value in spent.items()}
    returns = [[leaf["episode_reward"] for leaf in t["leaves"]] for t in trees if t["leaves"]]
    run.write({
        "success": np.mean([leaf["outcome"] == "success" for leaf in leaves]).item(),
        "return": np.mean(np.concatenate(returns)).item(),
        "mixed_trees": np.mean([len(set(r)) > 1 for r in returns]).item(),
        **metrics,
        **spent,
        **{name: stats[name] for name in ("prompt_tokens", "computed_tokens", "unique_tokens", "leaves", "forks")},
        "trees_failed": rollout["trees_failed"],
        "trained_tokens": sum(s.mask.sum().item() for s in batch),
        "other_version_tokens": sum((s.mask & ~s.fresh).sum().item() for s in batch),
        "rollout_seconds": rollout_seconds, "train_seconds": train_seconds, "reload_seconds": reload_seconds,
    })  # fmt: skip
    run.commit({"step": run.step + 1})


def train(o) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    torch.set_num_threads(o.threads)
    transformers.logging.disable_progress_bar()
    run = Run(vars(o))
    model, tokenizer = run.load()
    reference = policy.load(o.model)[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=o.lr, betas=(0.9, 0.95), weight_decay=o.weight_decay)
    run.restore(optimizer)
    daemon, drawn = Spawned(o.out, o.spawn, run.weights, o.set) if o.spawn else Daemon(o.sparkd), 0.0
    try:
        check(daemon, o)
        while True:
            reload_seconds = daemon.serve(run.weights, run.version)
            last = run.step >= o.steps or 0 < o.budget_tokens <= run.state["generated_tokens"]
            if o.eval_every and (last or run.step % o.eval_every == 0):
                evaluate(run, daemon, o)
            if last or time.monotonic() - drawn > 60:
                curves.draw(curves.read(o.out / "metrics.jsonl"), o.out / "curves.svg")
                drawn = time.monotonic()
            if last:
                return run.commit({"done": True})
            train_step(run, daemon, o, model, tokenizer, reference, optimizer, reload_seconds)
    finally:
        if o.spawn:
            daemon.close()


def parameter(text: str) -> tuple[str, object]:
    """NAME=VALUE, the value as JSON or else as text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value, parse_constant=str)
    except ValueError:
        return name, value


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, or the given arguments."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = p.add_argument_group("where")
    where.add_argument("--model", type=Path, required=True, help="Hugging Face folder of the policy to begin with")
    where.add_argument("--out", type=Path, required=True, help="folder of the run")
    where.add_argument(
        "--sparkd",
        default="http://127.0.0.1:8787",
        help="address of the daemon (%(default)s); SPARKD_API_TOKEN: its token",
    )
    where.add_argument("--spawn", metavar="PROGRAM", help="start a daemon for this run instead, with this sparkd")
    where.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="setting of a daemon started by --spawn"
    )
    where.add_argument("--threads", type=whole(1), default=1, help="of the trainer (%(default)s)")
    where.add_argument("--keep", type=whole(0), default=2, help="policies to keep, 0 for all (%(default)s)")
    length = p.add_argument_group("how long")
    length.add_argument("--steps", type=whole(0), default=100, help="steps in all (%(default)s)")
    length.add_argument(
        "--budget-tokens", type=real(), default=0, help="no step begins once the rollouts have generated so many tokens"
    )
    rollouts = p.add_argument_group("rollouts")
    rollouts.add_argument("--env", default="household", help="environment (%(default)s)")
    rollouts.add_argument("--split", default="train", help="its tasks to train on (%(default)s)")
    rollouts.add_argument("--tasks", type=whole(1), default=16, help="tasks a step (%(default)s)")
    rollouts.add_argument("--policy", default="spark", help="branching policy (%(default)s)")
    rollouts.add_argument("--roots", type=whole(0), default=4, help="M; 0: by the policy's own rule (%(default)s)")
    rollouts.add_argument("--leaves", type=whole(1), default=8, help="N (%(default)s)")
    rollouts.add_argument("--branch", type=whole(1), default=None, help="B (the policy's own)")
    rollouts.add_argument(
        "--parameter",
        type=parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other of the branching policy",
    )
    rollouts.add_argument("--advantage", default="spark-rows", help="estimator (%(default)s)")
    rollouts.add_argument("--max-steps", type=whole(1), default=30, help="of a trajectory (%(default)s)")
    rollouts.add_argument("--max-tokens", type=whole(1), default=64, help="of an answer (%(default)s)")
    rollouts.add_argument(
        "--temperature", type=real(above=True), default=1.0, help="of sampling and of the loss (%(default)s)"
    )
    loss = p.add_argument_group("loss")
    loss.add_argument("--lr", type=real(most=1), default=5e-4, help="learning rate (%(default)s)")
    loss.add_argument("--weight-decay", type=real(), default=0.0)
    loss.add_argument("--minibatches", type=whole(1), default=2, help="optimiser steps a batch (%(default)s)")
    loss.add_argument(
        "--batch-tokens", type=whole(1), default=8192, help="most tokens of a forward, padding included (%(default)s)"
    )
    loss.add_argument("--clip", type=real(), default=0.2, help="of the importance ratio (%(default)s)")
    loss.add_argument(
        "--dual-clip", type=real(1), default=3.0, help="bound of the loss where the advantage is negative (%(default)s)"
    )
    loss.add_argument(
        "--kl",
        type=real(),
        default=0.01,
        help="weight of the KL to the first policy; 0: none, and faster (%(default)s)",
    )
    loss.add_argument(
        "--grad-clip", type=real(above=True), default=1.0, help="greatest norm of the gradient (%(default)s)"
    )
    loss.add_argument("--seed", type=int, default=0)
    evaluation = p.add_argument_group("evaluation")
    evaluation.add_argument(
        "--eval-every",
        type=whole(0),
        default=0,
        help="before the first step, every so many steps, and at the end; 0: never (%(default)s)",
    )
    evaluation.add_argument("--eval-split", default="l0", help="splits, with commas (%(default)s)")
    evaluation.add_argument(
        "--eval-tasks", type=whole(1), default=64, help="the first so many of a split (%(default)s)"
    )
    evaluation.add_argument("--eval-samples", type=whole(1), default=1, help="chains a task (%(default)s)")
    o = p.parse_args(arguments)
    if o.set and not o.spawn:
        p.error("argument --set goes with --spawn alone: the daemon at --sparkd has its own")
    return o


if __name__ == "__main__":
    try:
        train(options())
    except (Refused, OSError, policy.Unusable) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        raise SystemExit(130) from None
