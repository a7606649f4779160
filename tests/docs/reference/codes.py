"""Error codes, collected from every place in the package that names one."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus

import agentic_atlas
from agentic_atlas import errors
from agentic_atlas.errors import AtlasError
from agentic_atlas.http.errors import STATUS, STATUS_OF_CODE
from tests.docs.reference.markdown import code, fence, table
from tests.docs.reference.source import PACKAGE, files, summary, tree_of

_NAMED_BY_POSITION = {
    "Fault": 0,
    "failed": 0,
    "TaskError": 0,
    "TaskFailure": 0,
    "_fault": 0,
    "_failed": 1,
    "NotAdmitted": 1,
    "Refused": 1,
    "HandshakeDenied": 1,
}
"""Calls that take a code by position, and at which."""
_GIVEN = {
    "canceled": "(the reason that was given)",
    "handler_error": "(type and message of what the handler raised)",
    "invalid_question": "(what is wrong with the question)",
}
OF_THE_API = ("backend/", "http/", "api/")
"""Where a code is raised that a caller of the HTTP API is answered with."""
_OF_A_TASK = {"Fault", "failed", "TaskError", "TaskFailure", "_fault", "_failed"}


@dataclass(frozen=True)
class Use:
    """A place that raises or answers a code."""

    code: str
    by: str
    message: str
    place: str

    @property
    def of_task(self) -> bool:
        return self.by in _OF_A_TASK


@cache
def uses() -> list[Use]:
    """Return every place that names a code, in the order of the source."""
    return [use for path in files() for use in _uses(tree_of(path), path.relative_to(PACKAGE).as_posix())]


@cache
def classes() -> list[type[AtlasError]]:
    """Return every class of error in the package."""
    for module in pkgutil.walk_packages(agentic_atlas.__path__, "agentic_atlas."):
        if ".cli.examples" not in module.name and ".migrations" not in module.name:
            importlib.import_module(module.name)
    return sorted(_below(AtlasError), key=lambda kind: (kind.__module__, kind.__name__))


def codes() -> set[str]:
    """Return every code there is."""
    return {use.code for use in uses()} | {kind.default_code for kind in classes()}


def tree() -> str:
    text = inspect.getdoc(errors) or ""
    return fence("text", text.split("```")[1])


def by_class() -> str:
    own = [kind for kind in classes() if "default_code" in vars(kind)]
    rows = [(code(kind.default_code), code(kind.__name__), summary(kind)) for kind in own]
    return table(("code", "class", "meaning"), sorted(rows))


def by_place() -> str:
    """Codes that are more precise than their class's, with the message as it is printed."""
    known: list[type[AtlasError]] = [AtlasError, *classes()]
    kinds = {kind.__name__: kind for kind in known}
    rows = {}
    for use in sorted(uses(), key=lambda use: use.code):
        kind = kinds.get(use.by)
        if use.of_task or kind is None:
            continue
        status = _status(use.code, kind) if use.place.startswith(OF_THE_API) else ""
        rows[use.code, use.by, use.message] = (code(use.code), code(use.by), status, use.message)
    return table(("code", "class", "HTTP", "message"), rows.values())


def of_tasks() -> str:
    rows = {(code(use.code), use.message or _GIVEN[use.code]) for use in uses() if use.of_task}
    return table(("code", "message"), sorted(rows))


def statuses() -> str:
    rows = [(str(int(status)), status.phrase, code(kind.__name__), code(kind.default_code), summary(kind))
            for kind, status in STATUS.items()]  # fmt: skip
    rows += [(str(int(status)), status.phrase, "", code(name), "") for name, status in STATUS_OF_CODE.items()]
    return table(("status", "phrase", "class", "code unless a more precise one", "meaning"), sorted(rows))


def _below(kind: type[AtlasError]) -> Iterator[type[AtlasError]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("agentic_atlas"):
            yield below
            yield from _below(below)


def _status(name: str, kind: type[AtlasError]) -> str:
    status = STATUS_OF_CODE.get(name) or next(STATUS[each] for each in kind.__mro__ if each in STATUS)
    # Errors of the server itself are its own log's: no caller asked for them.
    return "" if status is HTTPStatus.INTERNAL_SERVER_ERROR else str(int(status))


def _uses(module: ast.Module, place: str) -> Iterator[Use]:
    constants = _constants(module)
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        by = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        found = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
        texts = [*node.args]
        if found is None and by in _NAMED_BY_POSITION and len(node.args) > _NAMED_BY_POSITION[by]:
            found = texts.pop(_NAMED_BY_POSITION[by])
        name = _text(found, constants) if found is not None else ""
        if name.replace("_", "").isalnum() and name.islower():
            yield Use(name, by, max((_text(text, constants) for text in texts), key=len, default=""), place)


def _constants(module: ast.Module) -> dict[str, str]:
    return {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _text(node: ast.expr, constants: dict[str, str]) -> str:
    """Return a text as it is printed, with `…` for what is filled in."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name):
            return constants.get(name, "")
        case ast.JoinedStr(values=values):
            return "".join(_text(part, constants) if isinstance(part, ast.Constant) else "…" for part in values)
    return ""
