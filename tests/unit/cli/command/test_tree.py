from __future__ import annotations

from collections.abc import Sequence

import click
import pytest

from agentic_atlas.cli import completion
from agentic_atlas.cli.app import ATLAS
from agentic_atlas.cli.command.tree import CommandGroup
from tests.integration.cli.commands import items, offered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", list(ATLAS.commands)),
        ("ta", ["tasks"]),
        ("agents ", ["list", "show", "resources", "share", "unshare", "disable", "enable", "rename", "delete"]),
        ("tasks wa", ["watch"]),
        ("tasks watch x --af", ["--after"]),
        ("tasks list --state fa", ["failed"]),
        ("tasks list --state failed --state can", ["canceled"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("completion bash ", []),
        ("call --no", ["--no-wait"]),
        ("tasks list --he", ["--help"]),
    ],
)
def test_the_shell_is_offered_what_may_stand_there(line: str, words: Sequence[str]) -> None:
    assert offered(line) == list(words)


@pytest.mark.parametrize("line", ["backup ba", "call hello greet --input @in", "run age", "restore --data-dir d"])
def test_the_shell_is_left_to_offer_files_where_one_may_stand(line: str) -> None:
    assert [item.type for item in items(line)] == ["file"]


def test_a_value_is_completed_with_the_arguments_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        asked.append((context.params["agent"], context.params["skill"], parameter.name, incomplete))
        return ["name="]

    monkeypatch.setattr(completion, "fields", complete)
    assert offered("call --timeout 3 hello --json greet na") == ["name="]
    assert asked == [("hello", "greet", "pairs", "na")]


def test_nothing_is_asked_about_an_agent_or_a_skill_that_is_not_typed_yet() -> None:
    context = click.Context(click.Command("call"))
    skill = click.Argument(["skill"])
    assert completion.skills(context, skill, "") == []
    assert [item.type for item in completion.fields(context, skill, "")] == ["file"]


def test_a_default_command_takes_its_options_where_its_name_is_left_out() -> None:
    seen: list[bool] = []
    json = click.Option(["--json"], is_flag=True)
    group = CommandGroup(
        "Things.",
        {"list": click.Command("list", callback=lambda json: seen.append(json), params=[json])},
        default="list",
    )
    for line in ([], ["--json"], ["list", "--json"]):
        with group.make_context("things", line) as context:
            group.invoke(context)
    assert seen == [False, True, True]
