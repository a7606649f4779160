from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import click
import pytest

from agentic_atlas.cli.command.declared import Argument, Number, Option, parameters, whole


def bake(
    *,
    dish: Annotated[str, Argument()],
    more: Annotated[tuple[str, ...], Argument()] = (),
    minutes: Annotated[int, Option("--minutes", "-m", type=whole(1, 90))] = 10,
    heat: Annotated[float | None, Option("--heat", type=Number(0.5))] = None,
    cake_form: Annotated[Path | None, Option()] = None,
    kind: Annotated[tuple[str, ...], Option("--kind", type=click.Choice(("sweet", "salty")))] = (),
    fan: Annotated[bool, Option("--fan/--no-fan")] = True,
    loud: Annotated[bool, Option("--loud")] = False,
) -> None:
    """Bake."""


ALONE = {
    "dish": "x",
    "more": (),
    "minutes": 10,
    "heat": None,
    "cake_form": None,
    "kind": (),
    "fan": True,
    "loud": False,
}


def read(line: str) -> dict[str, Any]:
    return click.Command("bake", params=parameters(bake)).make_context("bake", line.split()).params


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("x", {}),
        ("x y z", {"more": ("y", "z")}),
        ("--minutes 20 x", {"minutes": 20}),
        ("x --minutes=20 y", {"minutes": 20, "more": ("y",)}),
        ("x -m 20", {"minutes": 20}),
        ("x --heat 1.5 --cake-form a/b", {"heat": 1.5, "cake_form": Path("a/b")}),
        ("x --kind sweet --kind salty", {"kind": ("sweet", "salty")}),
        ("x --no-fan --loud", {"fan": False, "loud": True}),
        ("x -- --loud -y -z=1", {"more": ("--loud", "-y", "-z=1")}),
        ("x -", {"more": ("-",)}),
        ("x a=--b a=b=c", {"more": ("a=--b", "a=b=c")}),
    ],
)
def test_the_signature_of_a_function_says_what_its_command_takes(line: str, given: dict[str, Any]) -> None:
    assert read(line) == ALONE | given


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "Missing argument 'DISH'."),
        ("x --minutes 0", "Invalid value for '--minutes' / '-m': 0 is not in the range 1<=x<=90."),
        ("x --minutes 1.5", "Invalid value for '--minutes' / '-m': '1.5' is not a valid whole number."),
        ("x --heat nan", "Invalid value for '--heat': 'nan' is not a valid number."),
        ("x --heat hot", "Invalid value for '--heat': 'hot' is not a valid number."),
        ("x --heat 0.1", "Invalid value for '--heat': 0.1 is not in the range x>=0.5."),
        ("x --kind swet", "Invalid value for '--kind': 'swet' is not one of 'sweet', 'salty'."),
    ],
)
def test_what_cannot_be_read_is_told_with_what_can(line: str, sentence: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        read(line)
    assert refused.value.format_message() == sentence
