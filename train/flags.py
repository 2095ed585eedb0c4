"""Numbers on a command line, with their ranges: types for argparse, which names the flag."""

import argparse
import math
from collections.abc import Callable


def whole(least: int) -> Callable[[str], int]:
    """A whole number of at least so much."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small: at least {least}")
        return value

    return number


def real(least: float = 0, above: bool = False, most: float = math.inf) -> Callable[[str], float]:
    """A finite number of at least so much, or above it, and at most so much."""
    span = f"{'above' if above else 'of at least'} {least:g}" + (f", at most {most:g}" if most < math.inf else "")

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not math.isfinite(value) or not least <= value <= most or above and value == least:
            raise argparse.ArgumentTypeError(f"{text} is out of range: a finite number {span}")
        return value

    return number
