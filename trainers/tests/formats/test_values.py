"""Every format trains the same tokens with the same logprobs and advantages.

A trained token is known by its group and by all tokens before it and itself: what the
model saw when it sampled it.
"""

from collections import Counter, defaultdict

import pytest
import truth

from .reading import READERS, read


def number(name: str) -> int:
    """53 bits of the FNV-1a hash: how formats with numbers for names write a group."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h >> 11


def group(format: str, uid: str) -> str | int:
    return number(uid) if format == "trl-async" else uid


def contexts(sequence):
    """Where tokens are trained, and what each of them is known by."""
    for at, trained in enumerate(sequence.mask):
        if trained:
            yield at, tuple(sequence.tokens[: at + 1])


@pytest.mark.parametrize("format", READERS)
def test_copies_hold_every_sampled_token_of_every_trajectory(format):
    want, got = Counter(), Counter()
    for s in truth.sequences():
        for at, context in contexts(s):
            logprob = None if format == "trl-sft" else s.logprobs[at]
            want[group(format, s.uid), context, logprob, s.advantages[at], 1.0, s.reward] += 1
    for r in read(format, truth.lines(format)):
        for at, context in contexts(r):
            got[r.group, context, r.logprobs and r.logprobs[at], r.advantages[at], r.weights[at], r.reward] += 1
    assert got == want


@pytest.mark.parametrize("format", READERS)
def test_what_is_not_trained_has_no_values(format):
    for dedupe in ("copies", "unique", "tree"):
        for r in read(format, truth.lines(format, dedupe)):
            lengths = {len(v) for v in (r.tokens, r.mask, r.logprobs, r.advantages, r.weights) if v is not None}
            assert len(lengths) == 1, "values do not line up with the tokens"
            if r.logprobs is not None:
                assert not any(p for p, m in zip(r.logprobs, r.mask) if not m)
            if format not in ("trl-async", "atropos", "verl-agent"):  # they have no field for weights
                assert not any(v for values in (r.advantages, r.weights) for v, m in zip(values, r.mask) if not m)


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("dedupe", ["unique", "tree"])
def test_shared_tokens_are_trained_once(format, dedupe):
    """With unique, weight times advantage is the sum over the copies, so that the gradient is
    that of copies; with tree it is the mean, each token weighing the same."""
    copies = defaultdict(list)
    for s in truth.sequences():
        for at, context in contexts(s):
            copies[group(format, s.uid), context].append(s.advantages[at])
    trained = defaultdict(list)
    for r in read(format, truth.lines(format, dedupe)):
        for at, context in contexts(r):
            trained[r.group, context].append(r.weights[at] * r.advantages[at])
    assert trained.keys() == copies.keys()
    for token, coefficients in trained.items():
        total = sum(copies[token])
        want = total if dedupe == "unique" else total / len(copies[token])
        assert coefficients == [pytest.approx(want, abs=1e-12)], token


@pytest.mark.parametrize(
    "format", sorted(READERS.keys() - {"trl-async", "verl-agent"})
)  # their lines are no whole sequences
def test_order(format):
    """Sequences come in the order of the trajectories, and theirs in the order of the steps."""
    got = [(r.tokens, r.mask) for r in read(format, truth.lines(format))]
    assert got == [(s.tokens, s.mask) for s in truth.sequences()]
