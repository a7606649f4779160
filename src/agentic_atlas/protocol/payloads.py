"""Inputs that are too large: said the same wherever they are measured."""

from agentic_atlas.errors import PayloadTooLarge


def input_too_large(size: int, most: int) -> PayloadTooLarge:
    """Return the error of an input of so many bytes where at most so many are allowed."""
    return PayloadTooLarge(
        f"the input has {size} bytes, more than the {most} allowed (bytes travel as base64, a third longer): "
        "send less, or a link to it"
    )
