"""Code without a caller is not merged."""

from __future__ import annotations

import ast

from tests.architecture.callers import sources, uncalled

CALLED_FROM_OUTSIDE = {
    "alembic": {"down_revision"},
    "asyncio": {
        "_Connection.data_received",
        "_Connection.eof_received",
        "_Connection.connection_made",
        "_Connection.connection_lost",
        "pause_writing",
        "resume_writing",
    },
    "httptools": {
        "RequestParser.on_message_begin",
        "RequestParser.on_url",
        "RequestParser.on_header",
        "RequestParser.on_headers_complete",
        "RequestParser.on_body",
        "RequestParser.on_message_complete",
    },
    "logging": {"_Forward.emit"},
    "click": {"CommandGroup.list_commands"},
    "picows": {"on_ws_connected", "on_ws_disconnected", "on_ws_frame"},
    "pydantic": {
        "SchemaGenerator.complex_schema",
        "SchemaGenerator.decimal_schema",
        "SchemaGenerator.encode_default",
        "SchemaGenerator.field_title_should_be_set",
    },
    "a bus between router and backend": {"from_router", "to_router"},
    "whoever changes the signing key, by a program": {"save_ring", "KeyRing.rotate"},
    "the documentation, and tests of the wire": {"MESSAGES", "FIELDS"},
    "tests": {"MemoryStore", "MemoryLogs"},
}
"""By whom, and what: a name, or a class and its method."""


def test_nothing_in_the_package_is_without_a_caller() -> None:
    known = {name for names in CALLED_FROM_OUTSIDE.values() for name in names}
    found = {place: place.rpartition(":")[2] for place in uncalled(sources())}
    assert [place for place, name in found.items() if not known & {name, name.rpartition(".")[2]}] == []


def test_what_is_called_from_outside_is_still_there() -> None:
    names = {name for module in sources().values() for name in _definitions(module)}
    known = {name.rpartition(".")[2] for group in CALLED_FROM_OUTSIDE.values() for name in group}
    assert known <= names


def test_a_name_that_is_only_made_or_imported_is_found() -> None:
    modules = {
        "a.py": ast.parse("LIMIT = 1\ndef used(): ...\ndef unused(): ...\nclass Kept:\n    def lost(self): ..."),
        "b.py": ast.parse("from a import unused, used, Kept\n__all__ = ['unused']\nprint(used(), Kept())"),
        "c.py": ast.parse("COMMAND = 'a:told'\ndef told(): ...\nprint(COMMAND)"),
    }
    assert uncalled(modules) == {"a.py:LIMIT", "a.py:unused", "a.py:Kept.lost"}


def _definitions(module: ast.Module) -> set[str]:
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assigned = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return assigned | {node.name for node in ast.walk(module) if isinstance(node, made)}
