"""Supervised fine-tuning: rows of trajectories → a policy in a Hugging Face folder.

    python3 train/sft.py --rows rows.jsonl --out out/policy --tokens 12e6

Without --init the tokenizer is learnt on the rows and the weights start from nothing. The
same arguments give the same weights on the same machine. Killed and started again with the same
arguments, it goes on from OUT/checkpoint.pt. OUT/metrics.jsonl has a line per report.
"""

import argparse
import itertools
import json
import math
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

import model as policy


def batches(lengths: list[int], batch_tokens: int, rng: random.Random) -> list[list[int]]:
    """One epoch: indices of rows in batches of at most `batch_tokens` tokens, padding included.
    Rows of like length share a batch; which ones, and the order, is drawn anew every time."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i] * rng.uniform(0.95, 1.05), i))
    out: list[list[int]] = []
    longest = 0
    for i in order:
        longest = max(longest, padded(lengths[i]))
        if not out or longest * (len(out[-1]) + 1) > batch_tokens:
            out.append([])
            longest = padded(lengths[i])
        out[-1].append(i)
    rng.shuffle(out)
    return out


def padded(length: int, unit: int = 64) -> int:
    """The next multiple of the unit. Few shapes come again and again: oneDNN makes and keeps code
    for each, and the allocator finds blocks that fit."""
    return -(-length // unit) * unit


def collate(rows: list[policy.Conversation], pad: int, observation_weight: float) -> tuple[torch.Tensor, torch.Tensor]:
    """ids and loss weights, both (rows, longest + 1), padded on the right with weight 0. Attention is
    causal, so that padding needs no mask: nothing that counts looks at it."""
    shape = len(rows), padded(max(len(r.ids) for r in rows)) + 1
    ids, weights = torch.full(shape, pad), torch.zeros(shape)
    for i, r in enumerate(rows):
        ids[i, : len(r.ids)] = torch.tensor(r.ids)
        learnt = torch.where(torch.tensor(r.answer), 1.0, observation_weight)
        weights[i, : len(r.ids)] = learnt.masked_fill(torch.tensor(r.muted), 0)
    return ids, weights


def loss_sum(model, ids: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ weight·(−log p) over all tokens but the first, and Σ weight. Logits are computed only
    where a weight is not 0."""
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state.flatten(0, 1)
    weights, targets = weights[:, 1:].flatten(), ids[:, 1:].flatten()
    at = weights.nonzero().squeeze(-1)
    count, at = len(at), F.pad(at, (0, padded(len(at)) - len(at)))
    nll = F.cross_entropy(model.lm_head(hidden[at]).float(), targets[at], reduction="none")
    return (nll * weights[at])[:count].sum(), weights.sum()


def schedule(done: float, warmup: float = 0.03, floor: float = 0.05) -> float:
    """The share of the peak learning rate: linear warm-up, then a cosine down to the floor; done is
    the share of the run in [0, 1]."""
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1, (done - warmup) / (1 - warmup))))


class Progress:
    """Prints a line, and appends it to metrics.jsonl, about every ten seconds."""

    def __init__(self, path: Path, budget: float, step: int, seen: int):
        self.file = open(path, "a" if step else "w", encoding="utf-8")
        self.budget, self.start, self.began, self.last = budget, seen, time.monotonic(), time.monotonic()
        self.loss: list[float] = []

    def step(self, step: int, seen: int, loss: float, share: float) -> None:
        self.loss.append(loss)
        now = time.monotonic()
        if now - self.last < 10 and seen < self.budget:
            return
        rate = (seen - self.start) / (now - self.began)
        line = {
            "step": step, "tokens": seen, "loss": round(sum(self.loss) / len(self.loss), 4),
            "share_of_lr": round(share, 4), "tokens_per_second": round(rate),
            "seconds_left": round(max(0, self.budget - seen) / rate),
        }  # fmt: skip
        self.last, self.loss = now, []
        self.write(line)

    def write(self, line: dict) -> None:
        print(json.dumps(line), flush=True)
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


class Optimizer:
    """Muon (Jordan 2024) on the matrices of the blocks, AdamW on embeddings and norms; without a Muon
    rate AdamW on everything."""

    def __init__(self, model, adam_rate: float, muon_rate: float):
        inner = [p for name, p in model.named_parameters() if muon_rate and p.ndim == 2 and "embed" not in name]
        outer = [p for p in model.parameters() if not any(p is q for q in inner)]
        self.parts = [(torch.optim.AdamW(outer, betas=(0.9, 0.95), weight_decay=0.0, fused=True), adam_rate)]
        if inner:
            self.parts.append((torch.optim.Muon(inner, weight_decay=0.01), muon_rate))

    def step(self, share: float) -> None:
        """One step at a share of the peak rates."""
        for optimizer, rate in self.parts:
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad()

    def state_dict(self) -> list[dict]:
        return [optimizer.state_dict() for optimizer, _ in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for (optimizer, _), state in zip(self.parts, states, strict=True):
            optimizer.load_state_dict(state)


@dataclass
class Run:
    """What is trained, on what, and where it goes."""

    args: argparse.Namespace
    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    rows: list[policy.Conversation]
    held: list[policy.Conversation]  # 2 % of the rows, not trained on

    @property
    def out(self) -> Path:
        return Path(self.args.out)

    def loss(self, rows: list[policy.Conversation], observation_weight: float) -> tuple[torch.Tensor, torch.Tensor]:
        """loss_sum of rows that fit into a batch."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.args.bfloat16):
            return loss_sum(self.model, *collate(rows, self.tokenizer.pad_token_id, observation_weight))


def prepare(args: argparse.Namespace) -> Run:
    """The policy to begin with and the rows as tokens."""
    rows = policy.read_rows(args.rows)
    if args.init:
        model, tokenizer = policy.load(args.init)
    else:
        tokenizer = policy.build_tokenizer(rows, args.vocabulary, args.context)
        model = policy.build_model(tokenizer, args.hidden, args.layers, args.heads, args.ffn, args.context, args.seed)
    encoder = policy.Encoder(tokenizer)
    talks = [encoder.conversation(r["messages"]) for r in rows]
    fit = [t for t in talks if len(t.ids) <= model.config.max_position_embeddings]
    if not fit:
        raise SystemExit(
            f"{args.rows}: no row fits into the context of {model.config.max_position_embeddings} tokens; "
            "use a larger --context"
        )
    random.Random(args.seed).shuffle(fit)
    run = Run(args, model, tokenizer, fit[len(fit) // 50 :], fit[: len(fit) // 50])
    print(f"{sum(p.numel() for p in model.parameters())} weights, {len(tokenizer)} tokens; "
          f"{len(run.rows)} rows to train on, {len(run.held)} held out, "
          f"{len(talks) - len(fit)} too long for the context", flush=True)  # fmt: skip
    return run


def train(run: Run) -> None:
    """Trains until the budget of tokens is used up, and writes the policy."""
    args, lengths = run.args, [len(t.ids) for t in run.rows]
    budget = args.tokens or args.epochs * sum(lengths)
    optimizer = Optimizer(run.model, args.lr, args.muon_lr)
    step, seen = resume(run, optimizer)
    progress, saved = Progress(run.out / "metrics.jsonl", budget, step, seen), time.monotonic()
    run.model.train()
    for batch in itertools.islice(forever(lengths, args.batch_tokens, args.seed), step, None):
        if seen >= budget:
            break
        loss, weight = run.loss([run.rows[i] for i in batch], args.observation_weight)
        loss = loss / weight
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        share = schedule(seen / budget)
        optimizer.step(share)
        step, seen = step + 1, seen + sum(lengths[i] for i in batch)
        progress.step(step, seen, loss.item(), share)
        if time.monotonic() - saved > args.checkpoint_every:
            checkpoint(run, optimizer, step, seen)
            saved = time.monotonic()
    run.model.eval()
    policy.save(run.model, run.tokenizer, run.out)
    progress.write({"held_out_loss": held_out(run)})
    (run.out / "checkpoint.pt").unlink(missing_ok=True)


@torch.no_grad()
def held_out(run: Run) -> float | None:
    """Mean −log p, in nats, of the answers' tokens in the rows that were held out; None without any."""
    total = count = 0.0
    for batch in batches([len(t.ids) for t in run.held], run.args.batch_tokens, random.Random(0)):
        loss, weight = run.loss([run.held[i] for i in batch], 0)
        total, count = total + loss.item(), count + weight.item()
    return round(total / count, 4) if count else None


def forever(lengths: list[int], batch_tokens: int, seed: int):
    """The batches of epoch after epoch; a function of the seed alone."""
    epoch = 0
    while True:
        yield from batches(lengths, batch_tokens, random.Random(f"{seed}/{epoch}"))
        epoch += 1


def recipe(args: argparse.Namespace) -> dict:
    """The arguments that decide about the weights."""
    return {name: value for name, value in vars(args).items() if name not in ("out", "checkpoint_every")}


def checkpoint(run: Run, optimizer: Optimizer, step: int, seen: int) -> None:
    """Writes what resume reads; a kill while it writes leaves the one before."""
    state = {
        "recipe": recipe(run.args),
        "model": run.model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "seen": seen,
    }
    torch.save(state, run.out / "checkpoint.new")
    os.replace(run.out / "checkpoint.new", run.out / "checkpoint.pt")


def resume(run: Run, optimizer: Optimizer) -> tuple[int, int]:
    """Steps and tokens done by the run with the same arguments that left a checkpoint, else 0."""
    path = run.out / "checkpoint.pt"
    if not path.exists():
        return 0, 0
    state = torch.load(path)
    if state["recipe"] != recipe(run.args):
        raise SystemExit(f"{path} is of a run with other arguments: delete it, or choose another --out")
    run.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    print(f"goes on at {state['seen']} tokens, from {path}", flush=True)
    return state["step"], state["seen"]


def options(given: list[str] | None = None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", required=True, help="trajectories, JSONL: sparkd coldstart writes them")
    p.add_argument("--out", required=True, help="folder of the trained policy")
    p.add_argument("--init", help="folder of a policy to go on from; default: from nothing")
    length = p.add_mutually_exclusive_group(required=True)
    length.add_argument("--tokens", type=float, help="tokens to train on, observations included")
    length.add_argument("--epochs", type=float, help="passes over the rows")
    p.add_argument("--lr", type=float, default=2e-3, help="peak learning rate of AdamW (%(default)s)")
    p.add_argument("--muon-lr", type=float, default=0.02, help="the same of Muon; 0: AdamW alone (%(default)s)")
    p.add_argument("--batch-tokens", type=int, default=4096, help="tokens of a step, padding included (%(default)s)")
    p.add_argument(
        "--observation-weight",
        type=float,
        default=0.1,
        help="loss weight of observation tokens; answers have 1 (%(default)s)",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument(
        "--bfloat16", action=argparse.BooleanOptionalAction, default=True, help="matrix products in bfloat16 (default)"
    )
    for name, value in (
        ("vocabulary", 1024),
        ("context", 2048),
        ("hidden", 128),
        ("layers", 5),
        ("heads", 4),
        ("ffn", 384),
    ):
        p.add_argument(f"--{name}", type=int, default=value, help="of a policy from nothing (%(default)s)")
    p.add_argument("--checkpoint-every", type=float, default=60, help="seconds (%(default)s)")
    return p.parse_args(given)


def main() -> None:
    args = options()
    torch.set_num_threads(args.threads)
    transformers.logging.disable_progress_bar()
    Path(args.out).mkdir(parents=True, exist_ok=True)
    try:
        prepared = prepare(args)
    except (ValueError, OSError) as error:
        raise SystemExit(f"sft: {error}") from None
    train(prepared)


if __name__ == "__main__":
    main()
