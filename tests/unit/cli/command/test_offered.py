from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentic_atlas.cli import completion
from agentic_atlas.cli.app import ATLAS
from agentic_atlas.cli.command import offered as offering
from agentic_atlas.cli.command.offered import offered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", [*ATLAS.commands, "-h", "--help"]),
        ("ta", ["tasks"]),
        ("tasks wa", ["watch"]),
        ("tasks watch x --af", ["--after"]),
        ("tasks list --state fa", ["failed"]),
        ("tasks list --state failed --state can", ["canceled"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("completion bash ", []),
        ("dance ", []),
        ("call --no", ["--no-wait"]),
    ],
)
def test_the_shell_is_offered_what_may_stand_there(line: str, words: Sequence[str]) -> None:
    assert offered(ATLAS, line.split(" ")) == list(words)


def test_a_value_is_completed_with_the_arguments_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []

    def complete(incomplete: str, before: Sequence[str]) -> list[str]:
        asked.append((incomplete, list(before)))
        return ["name="]

    takes = offering.parameters(ATLAS.commands["call"].load())  # type: ignore[union-attr]
    pairs = next(one for one in takes if one.name == "pairs")
    monkeypatch.setattr(pairs.said, "completes", complete)
    monkeypatch.setattr(offering, "parameters", lambda function: takes)
    assert offered(ATLAS, ["call", "--timeout", "3", "hello", "--json", "greet", "na"]) == ["name="]
    assert asked == [("na", ["hello", "greet"])]


def test_nothing_is_asked_about_a_skill_that_is_not_typed_yet() -> None:
    assert completion.fields("", ["hello"]) == []
