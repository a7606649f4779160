"""Every limit that is chosen where a network is put together: what it is, what is in force, and what it means.

What a limit means stands under it in the source, once; here it is read from there.
"""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec

from agentic_atlas.backend.domain.logs import LogLimits
from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings, TokenTerms
from agentic_atlas.backend.engine.logged_in import SessionTimes
from agentic_atlas.protocol.caller.system import LimitInfo, LimitUnit
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.settings import OF_PARTS, Settings, variable

PARTS: Final[tuple[type, ...]] = (
    OpenLimits,
    EngineSettings,
    Limits,
    RouterSettings,
    TokenTerms,
    SessionTimes,
    LogLimits,
)
"""Structs of limits."""


def limits_of(settings: Settings) -> list[LimitInfo]:
    """Return the limits that these settings have in force."""
    engine = settings.engine
    parts = (engine.open, engine, engine.messages, settings.router, engine.tokens, engine.sessions, engine.logs)
    assert tuple(map(type, parts)) == PARTS
    return [limit for part in parts for limit in _of(part)]


def _of(part: Any) -> Iterator[LimitInfo]:
    kind: type = type(part)
    hints, meanings = get_type_hints(kind), attribute_docs(kind)
    for name, default in defaults(kind).items():
        if isinstance(default, int | float):
            yield LimitInfo(
                part=kind.__name__,
                name=name,
                value=getattr(part, name),
                unit=_unit(name, hints[name]),
                default=default,
                variable=variable(name) if OF_PARTS.get(name, (None,))[0] is kind else "",
                meaning=meanings.get(name, ""),
            )


def defaults(kind: type) -> dict[str, Any]:
    """Return the defaults of a struct or a dataclass by the names of its fields."""
    found = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else msgspec.structs.fields(kind)
    return {field.name: field.default for field in found}


def _unit(name: str, kind: type) -> LimitUnit:
    """Durations are seconds, and sizes bytes; all else is counted."""
    if name.endswith("_beats"):
        return ""
    if kind is float:
        return "seconds"
    if name.endswith("per_second"):
        return "a second"
    return "bytes" if name.endswith(("_bytes", "_buffer")) else ""


@cache
def attribute_docs(kind: type) -> Mapping[str, str]:
    """Return the text under each attribute of a class of ours and its bases; none where their source is not there."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("agentic_atlas"):
            try:
                tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            except OSError:
                continue  # a program that was made of this one may come without it
            assert isinstance(tree.body[0], ast.ClassDef)
            found |= documented(tree.body[0].body)
    return found


def documented(body: list[ast.stmt]) -> dict[str, str]:
    """Return the text under each name that these statements assign."""
    found = {}
    for statement, following in itertools.pairwise(body):
        text = following.value if isinstance(following, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            for name in assigned(statement):
                found[name] = " ".join(text.value.split())
    return found


def assigned(statement: ast.stmt) -> list[str]:
    """Return the names that a statement assigns."""
    targets: list[ast.expr] = [statement.target] if isinstance(statement, ast.AnnAssign) else []
    targets += statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
