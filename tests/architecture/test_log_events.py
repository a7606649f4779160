"""Nothing is logged that is not declared in `observe`, and nothing is declared that nobody logs.

The source is read: each line's name is written where it is logged, its level is the method, its fields the arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from agentic_atlas.observe.declared import IDS, LogEvent
from agentic_atlas.observe.events import FIELDS, LINES
from agentic_atlas.observe.frames import _TOLD
from agentic_atlas.observe.logs import LEVELS

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/agentic_atlas"
OF_USERS = ("sdk/skills/reports.py",)
"""Where users' own lines are logged."""
PASSED_ON = {"outcome": (2, "error")}
"""Functions that log what they are told: which argument is the name, and at what level."""
TRACEBACK = "exc_info"
OF_NAMES: dict[str, set[str]] = {"about": set(), "names": {"skill"}, "told": {*_TOLD.values(), "of", "payload"}}
"""What is in the dictionaries that are logged as fields, by how they are called, beside ids."""


@dataclass(frozen=True)
class Line:
    """A call that logs something."""

    place: str
    name: str | None
    """None: it is not written there."""
    level: str
    fields: frozenset[str]


def logged(text: str, place: str) -> Iterator[Line]:
    """Yield what a module logs."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        here = f"{place}:{node.lineno}"
        fields = frozenset(field for argument in node.keywords for field in _fields(argument))
        match node.func:
            case ast.Attribute(value=receiver, attr=level) if level in LEVELS and _is_log(receiver):
                yield Line(here, _written(node.args[:1]), level, fields)
            case ast.Name(id=function) if function in PASSED_ON:
                index, level = PASSED_ON[function]
                yield Line(here, _written(node.args[index : index + 1]), level, fields)


def _fields(argument: ast.keyword) -> set[str]:
    if argument.arg is not None:
        return {argument.arg}
    return OF_NAMES.get(ast.unparse(argument.value).rpartition(".")[2], {"**"})


def _is_log(receiver: ast.expr) -> bool:
    return ast.unparse(receiver).rpartition(".")[2].rpartition("_")[2] == "log"


def _written(arguments: list[ast.expr]) -> str | None:
    match arguments:
        case [ast.Constant(value=str(name))]:
            return name
    return None


def faults(line: Line, known: Mapping[str, LogEvent]) -> list[str]:
    """Return what is not as it is declared."""
    if line.name is None:
        return ["its name is not written there"]
    if line.name not in known:
        return [f"{line.name} is not declared"]
    told = known[line.name]
    strange = line.fields - {*told.fields, *IDS, TRACEBACK}
    return [*([f"its level is {told.level}"] if line.level != told.level else []), *sorted(strange)]


@cache
def lines() -> list[Line]:
    found: list[Line] = []
    for path in sorted(SOURCES.rglob("*.py")):
        place = path.relative_to(SOURCES).as_posix()
        if not place.startswith(OF_USERS):
            found += logged(path.read_text(), place)
    # What hands on what it is told logs nothing of its own.
    return [line for line in found if not line.place.startswith("backend/engine/dispatch.py") or line.name]


def test_every_line_of_a_log_is_declared_with_its_level_and_its_fields() -> None:
    assert {line.place: wrong for line in lines() if (wrong := faults(line, LINES))} == {}


def test_every_declared_line_is_logged_somewhere_with_each_of_its_fields() -> None:
    used = {name: {field for line in lines() if line.name == name for field in line.fields} for name in LINES}
    unused = {name: sorted(set(line.fields) - used[name]) for name, line in LINES.items()}
    assert {name: fields for name, fields in unused.items() if fields} == {}
    assert set(LINES) - {line.name for line in lines()} == set()


def test_what_a_field_means_is_said_once_and_for_each() -> None:
    used = {field for line in LINES.values() for field in line.fields}
    assert used | set(IDS) | {"exception"} == set(FIELDS)


@pytest.mark.parametrize("line", LINES.values(), ids=lambda line: line.name)
def test_a_line_is_declared_well(line: LogEvent) -> None:
    assert line.name == line.name.lower() and line.name.replace("_", "").isalnum()
    assert line.level in LEVELS
    assert line.meaning.endswith(".")
    assert line.told <= {*line.fields, *IDS}
    assert "message" not in line.fields or not line.words


def test_a_line_that_is_not_as_declared_is_found() -> None:
    text = """
log.info("agent_connected", kept=1)
self._log.warning("agent_connected", secret=1)
context.log.error(f"made up {x}")
log.error("unheard_of")
catalog.info("no log")
outcome(write, log, "claim_failed", agent=1, colour=2)
log.info("task_received", **attempt.names)
log.info("task_received", **anything)
"""
    found = [faults(line, LINES) for line in logged(text, "x.py")]
    assert found == [
        [],
        ["its level is info", "secret"],
        ["its name is not written there"],
        ["unheard_of is not declared"],
        ["colour"],
        [],
        ["**"],
    ]
