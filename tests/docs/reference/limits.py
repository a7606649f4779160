"""Every limit there is: those of the parts' structs, and the constants beside what they bound."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentic_atlas.compose.limits import PARTS, attribute_docs, defaults
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.settings import OF_PARTS, variable
from tests.docs.reference.markdown import code, table
from tests.docs.reference.source import PACKAGE, files, module_docs, tree_of

STRUCTS: tuple[type, ...] = (*PARTS, Timeouts)
"""Structs of limits that are chosen where their part is built: of a network, and of an agent's link."""

NO_LIMITS = {"TRACE", "PROTOCOL_VERSION", "FORMAT", "APPLICATION_ID", "PRIVATE_FOLDER", "PRIVATE_FILE", "ENDLESS"}
"""Numbers that are names."""

NOT_OF_A_NETWORK = ("cli/", "testing/")
_TOLD = {Limits: "told in `welcome`"}
_PARTS = {
    "protocol": "Messages, schemas and numbers",
    "auth": "Keys and tokens",
    "transport": "Connections",
    "router": "Agents at the router",
    "backend/domain": "Tasks",
    "backend/engine": "The engine",
    "backend/usecases": "What may be asked for",
    "backend/store": "The store",
    "backend/archive": "Backups",
    "backend/checker": "Checks of inputs",
    "backend": "Between use cases and store",
    "http": "Requests",
    "api": "The HTTP API",
    "compose": "The server's process",
    "sdk/client": "Clients",
    "sdk/link": "An agent's connection",
    "sdk": "An agent's process",
}
"""Where the constants of a folder are listed, the first that fits."""


@dataclass(frozen=True)
class Bound:
    """A constant of the package."""

    place: str
    name: str
    value: float
    meaning: str


def constants() -> Iterator[Bound]:
    """Yield the public numeric constants that a network or an agent keeps to."""
    for path in files():
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(NOT_OF_A_NETWORK):
            yield from _constants(path, place)


def of_structs() -> str:
    """Return what the parts' structs bound, and who sets it."""
    rows = []
    for kind in STRUCTS:
        docs = attribute_docs(kind)
        for name, default in defaults(kind).items():
            if isinstance(default, int | float):
                of_part = OF_PARTS.get(name)
                chosen = of_part is not None and of_part[0] is kind
                by = code(variable(name)) if chosen else _TOLD.get(kind, "")
                rows.append((code(f"{kind.__name__}.{name}"), said(default), by, docs.get(name, "")))
    return table(("limit", "default", "set by", "meaning"), rows)


def of_constants() -> str:
    """Return the constants, part by part."""
    found = list(constants())
    pieces = []
    for part, title in _PARTS.items():
        here = [bound for bound in found if _part(bound.place) == part]
        if here:
            rows = [(code(bound.name), said(bound.value), code(bound.place), bound.meaning) for bound in here]
            pieces.append(f"### {title}\n\n{table(('limit', 'value', 'beside', 'meaning'), rows)}")
    return "\n\n".join(pieces)


def said(value: float) -> str:
    """Write a limit for a person."""
    for size, unit in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if isinstance(value, int) and value >= 2 * size and value % size == 0:
            return f"{value // size:,} {unit}"
    return f"{value:,g}" if value < 1 else f"{int(value):,}" if value == int(value) else f"{value:,}"


def _is_a_name(constant: str) -> bool:
    return constant in NO_LIMITS or constant.startswith("EXIT_")


def _part(place: str) -> str:
    """Return the first folder that fits; what lies in none of them is listed with what is told of a message."""
    return next((part for part in _PARTS if place.startswith((f"{part}/", f"{part}.py"))), "protocol")


def _constants(path: Path, place: str) -> Iterator[Bound]:
    names = [name for name in _assigned(tree_of(path)) if name.isupper() and not name.startswith("_")]
    if all(map(_is_a_name, names)):
        return
    module = importlib.import_module(".".join(("agentic_atlas", *Path(place).with_suffix("").parts)))
    docs = module_docs(module)
    for name in names:
        value = getattr(module, name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not _is_a_name(name):
            yield Bound(place, name, value, docs.get(name, ""))


def _assigned(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
        yield from (target.id for target in targets if isinstance(target, ast.Name))
