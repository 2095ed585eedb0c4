"""Reading options, which are all text."""

from .failure import Error


def positive(option: str, text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Error(
            f"{option} = {text!r} is no number from 1",
            code="invalid",
            field=f"options.{option}",
            remedy="for example 50",
        )
    return int(text)
