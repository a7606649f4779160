from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from agentic_atlas.cli.command.declared import Argument, Option, parameters
from agentic_atlas.cli.command.reading import read, wants_help
from agentic_atlas.cli.command.usage import Usage


def bake(
    *,
    dish: Annotated[str, Argument("DISH")],
    more: Annotated[list[str] | None, Argument("MORE")] = None,
    minutes: Annotated[int, Option("--minutes", "-m", min=1, max=90)] = 10,
    heat: Annotated[float | None, Option("--heat", min=0.5)] = None,
    form: Annotated[Path | None, Option("--form")] = None,
    kind: Annotated[list[str] | None, Option("--kind", choices=("sweet", "salty"))] = None,
    fan: Annotated[bool, Option("--fan/--no-fan")] = True,
    loud: Annotated[bool, Option("--loud")] = False,
) -> None:
    """Bake."""


def run(
    *,
    file: Annotated[str, Argument("FILE")],
    words: Annotated[list[str] | None, Argument("WORD", rest=True)] = None,
    loud: Annotated[bool, Option("--loud")] = False,
) -> None:
    """Run."""


BAKE, RUN = parameters(bake), parameters(run)
ALONE = {"dish": "x", "more": [], "minutes": 10, "heat": None, "form": None, "kind": [], "fan": True, "loud": False}


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("x", {}),
        ("x y z", {"more": ["y", "z"]}),
        ("--minutes 20 x", {"minutes": 20}),
        ("x --minutes=20 y", {"minutes": 20, "more": ["y"]}),
        ("x -m 20", {"minutes": 20}),
        ("x --heat 1.5 --form a/b", {"heat": 1.5, "form": Path("a/b")}),
        ("x --kind sweet --kind salty", {"kind": ["sweet", "salty"]}),
        ("x --no-fan --loud", {"fan": False, "loud": True}),
        ("x -- --loud -y", {"more": ["--loud", "-y"]}),
        ("x - -5", {"more": ["-", "-5"]}),
        ("x a=--b", {"more": ["a=--b"]}),
    ],
)
def test_words_become_arguments(line: str, given: dict[str, Any]) -> None:
    assert read(line.split(), BAKE) == ALONE | given


def test_what_belongs_to_somebody_else_is_left_as_it_is() -> None:
    line = ["--loud", "agent.py", "--loud", "--", "--help", "x"]
    assert read(line, RUN) == {"file": "agent.py", "words": ["--loud", "--", "--help", "x"], "loud": True}
    assert not wants_help(line, RUN)
    assert wants_help(["--help"], RUN)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "DISH is missing"),
        ("x --minuts 3", "there is no option --minuts here (did you mean --minutes?)"),
        ("x --minutes", "--minutes needs a value"),
        ("x --minutes 0", "--minutes has to be a whole number from 1 to 90; `0` is not"),
        ("x --minutes 1.5", "--minutes has to be a whole number from 1 to 90; `1.5` is not"),
        ("x --heat nan", "--heat has to be a number from 0.5 on; `nan` is not"),
        ("x --heat 0.1", "--heat has to be a number from 0.5 on; `0.1` is not"),
        ("x --kind swet", "--kind is one of sweet, salty; `swet` is not (did you mean sweet?)"),
        ("x --loud=yes", "--loud takes no value"),
        ("x --minutes 1 --minutes 2", "--minutes is given twice"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_can(line: str, sentence: str) -> None:
    with pytest.raises(Usage) as refused:
        read(line.split(), BAKE)
    assert refused.value.message == sentence


def test_one_word_too_many_is_told() -> None:
    with pytest.raises(Usage, match="`b` is one word too many"):
        read(["a", "b"], [one for one in RUN if one.name != "words"])


@pytest.mark.parametrize(("line", "wanted"), [("--help", True), ("x -h", True), ("x -- -h", False), ("x", False)])
def test_help_is_wanted_before_the_words_that_are_no_options(line: str, wanted: bool) -> None:
    assert wants_help(line.split(), BAKE) is wanted
