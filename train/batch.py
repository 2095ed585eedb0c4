"""Finished trees → what the trainer computes on: sequences of tokens in micro-batches.

A line of the export format `tree` (docs/formats.md) holds every node once. A sequence is the path to a
leaf; a step that several leaves share is trained in the first of them, with the weight of
all, and is context in the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from daemon import Refused


@dataclass(frozen=True)
class Sequence:
    """A trajectory up to its last trained token; all arrays have one value a token."""

    ids: np.ndarray
    mask: np.ndarray  # bool: the token is trained
    logprobs: np.ndarray  # nats, of the distribution that the token was drawn from
    advantages: np.ndarray
    weights: np.ndarray  # how much the token counts in the loss; 0 where it is not trained
    fresh: np.ndarray  # bool: drawn by the weights that were asked for


def sequences(trees: list[dict], version: str) -> list[Sequence]:
    """The trajectories of trees; failed branches and trees are in none."""
    return [s for tree in trees for s in of_tree(tree, version) if s.mask.any()]


def of_tree(tree: dict, version: str) -> Iterator[Sequence]:
    trained: set[int] = set()
    for leaf in tree["leaves"]:
        path = [tree["nodes"][i] for i in leaf["path"]]
        new = [n["advantage"] is not None and n["id"] not in trained for n in path]
        trained.update(leaf["path"])
        lengths = [len(n["tokens"]) for n in path]
        if any(sum(n["mask"]) for n in path if n["logprobs"] is None and n.get("sampled_logprobs") is None):
            remedy = "train with one that does: GET /v1/info, engine.capabilities.logprobs"
            raise Refused({"message": "the engine told no logprobs of what it drew", "remedy": remedy})

        def tokens(name: str, other: str = "", path=path) -> np.ndarray:
            """A list per token of all nodes, or where it is null another, or zeros."""
            return np.concatenate([n[name] or n.get(other) or np.zeros(len(n["tokens"])) for n in path])

        def repeat(values: list, lengths=lengths) -> np.ndarray:
            return np.repeat(values, lengths)

        mask = (tokens("mask") > 0) & repeat(new)
        end = int(np.flatnonzero(mask)[-1]) + 1 if mask.any() else 0
        yield Sequence(
            ids=tokens("tokens")[:end].astype(np.int64),
            mask=mask[:end],
            logprobs=tokens("sampled_logprobs", "logprobs")[:end],
            advantages=repeat([n["advantage"] or 0 for n in path])[:end],
            weights=(repeat([n["weight"] for n in path]) * mask)[:end],
            fresh=repeat([n["policy_version"] == version for n in path])[:end],
        )


def micro(batch: list[Sequence], most: int) -> Iterator[list[Sequence]]:
    """Splits into groups of like length, each of at most `most` tokens with its padding (a longer
    sequence is a group of its own)."""
    group: list[Sequence] = []
    for s in sorted(batch, key=lambda s: -len(s.ids)):
        if group and len(group[0].ids) * (len(group) + 1) > most:
            yield group
            group = []
        group.append(s)
    if group:
        yield group


def pad(group: list[Sequence], name: str, value: float = 0) -> torch.Tensor:
    """An array of all sequences of a group, (sequences, longest), padded on the right. Attention
    is causal: no token looks at the padding behind it, and no attention mask is needed."""
    rows = [torch.from_numpy(getattr(s, name)) for s in group]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
