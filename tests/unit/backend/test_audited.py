"""Of each use case that changes something it is decided whether the audit log tells of it, and of what."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentic_atlas.backend import usecases
from agentic_atlas.backend.audited import ACTIONS, AUDITED, OF_ITSELF, Audited, unknown_action
from agentic_atlas.backend.domain.audit import BROKEN
from agentic_atlas.backend.rights import RIGHT_OF, Right
from agentic_atlas.backend.usecases.application import USE_CASES

for module in pkgutil.iter_modules(usecases.__path__):
    importlib.import_module(f"{usecases.__name__}.{module.name}")

UNTOLD = {"tasks.submit", "tasks.submit_all", "calls.call", "instances.admit", "logins.begin"}
"""What changes something and is not told of, for it is the network's daily work: of a task its own record tells, of an
instance its agent's."""
LOOKED_AT = {
    Right.READ_TASKS,
    Right.READ_AGENTS,
    Right.READ_TOKENS,
    Right.READ_AUDIT,
    Right.READ_METRICS,
    Right.BE_KNOWN,
}
ONLY_LOOK = {
    "keys.find_all",
    "users.find",
    "users.show",
    "groups.show",
    "accounts.show",
    "invitations.find",
    "invitations.show",
    "sessions.find",
    "single_sign_on.begin",
    "sessions.find_of",
    "identities.find",
    "identities.find_of",
    "keys.find",
    "logins.show",
    "backups.find",
    "signing.find",
    "system.key_set",
    "system.ready",
    "system.figures",
}
"""Use cases that change nothing and need a right that others change something with."""


def test_each_use_case_that_changes_something_is_told_of_or_said_not_to_be() -> None:
    changing = {name for name, right in RIGHT_OF.items() if right not in LOOKED_AT} - ONLY_LOOK | {
        "keys.revoke",
        "sessions.log_out",
    }
    assert changing == {name for name, audited in AUDITED.items() if audited.done} | UNTOLD
    assert not set(AUDITED) & UNTOLD


@pytest.mark.parametrize("name", AUDITED)
def test_what_is_told_of_a_use_case_are_arguments_that_it_has_and_no_secrets(name: str) -> None:
    audited, takes = AUDITED[name], inspect.signature(inspect.unwrap(USE_CASES[name])).parameters
    told = {*audited.told, *filter(None, (audited.id_in, audited.name_in))}
    assert told <= set(takes)
    assert not [one for one in (*told, *audited.shown) if "code" in one or "secret" in one or one in ("key", "value")]
    assert inspect.iscoroutinefunction(inspect.unwrap(USE_CASES[name]))


def test_an_object_is_what_is_returned_and_before_that_what_was_asked_for() -> None:
    token = Audited(kind="token", id_in="token_id", told=("role",), shown=("host",))
    asked = {"token_id": "tok_1", "role": None}
    made = SimpleNamespace(id="tok_2", name="vm", host="laptop")
    assert token.object_of(asked).id == "tok_1"
    assert (token.object_of(asked, made).id, token.object_of(asked, ("agent", made)).name) == ("tok_2", "vm")
    assert (token.facts(asked), token.facts(asked | {"role": "admin"}, made)) == (
        {},
        {"role": "admin", "host": "laptop"},
    )


def test_all_that_the_log_tells_of_by_itself_is_known_to_who_looks_for_it() -> None:
    root = Path(str(usecases.__file__)).parents[1]
    said = {
        text.value
        for file in root.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("trail.note", "trail.refuse", "AuditEvent"))
        for text in ast.walk(call)
        if isinstance(text, ast.Constant) and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(text.value))
    }
    of_many_or_answered = {"tasks.submit", "calls.call"}
    assert (said - AUDITED.keys()) | {BROKEN} == set(OF_ITSELF) | of_many_or_answered


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("tokens.revok", "(did you mean tokens.revoke?): it tells of tokens.end, tokens.issue, tokens.renew, "),
        ("agents.*", "(did you mean agents?): it tells of agents.create, "),
        ("agents.fly", "agents.update; agents alone is all of these"),
        ("token", "(did you mean tokens?): it tells of accounts, agents, audit, "),
        ("agents.seek", "it tells of agents.create, agents.delete, "),
        ("x" * 100, f"'{'x' * 64}': it tells of accounts, "),
    ],
)
def test_what_is_never_told_of_is_said_with_what_may_have_been_meant(action: str, told: str) -> None:
    error = unknown_action(action)
    assert error is not None
    assert told in error.message
    assert error.code == "unknown_action"


@pytest.mark.parametrize("action", [*ACTIONS, "tokens", "audit", "keys"])
def test_what_may_be_told_of_is_known(action: str) -> None:
    assert unknown_action(action) is None
