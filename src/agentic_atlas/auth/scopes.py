"""What a token or an API key may do: a closed set of words, some of which can be narrowed to a part of what they mean.

A right is held only by its word or by a word that implies it as listed here; no prefix, no pattern. Writing
implies reading of the same noun. `*` stands for every word of API keys and never for those of agents.

A narrowed word names its part behind a colon: `agent:call:ada/books` and `tasks:call:ada/books/search` are calls of one
agent and of one skill, `tasks:read:own` is what was asked for with that very key. A part is a name as it is written in
the word: an agent that is renamed, or has become somebody else's, is not meant any more.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from agentic_atlas.errors import InvalidInput


class Scope(StrEnum):
    """One right. Its value is the word on the wire, in the store and on the command line."""

    AGENT_CONNECT = "agent:connect"
    """Connect to a router and run tasks."""
    AGENT_CALL = "agent:call"
    """Call other agents from a running task; `agent:call:OWNER/AGENT` and `agent:call:OWNER/AGENT/SKILL` that one."""
    TASKS_READ = "tasks:read"
    """See tasks; `tasks:read:own` those that were asked for with the same key."""
    TASKS_CALL = "tasks:call"
    """Ask for tasks, and see, answer and cancel those; `tasks:call:OWNER/AGENT[/SKILL]` of that agent or skill."""
    TASKS_WRITE = "tasks:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    USERS_ADMIN = "users:admin"
    AUDIT_READ = "audit:read"
    """Read the audit log, export it and have it checked."""
    METRICS_READ = "metrics:read"
    """Scrape what the network does (`/metrics`)."""
    EVERYTHING = "*"
    """All an API key can do, users included."""


AGENT_SCOPES: Final = (Scope.AGENT_CONNECT, Scope.AGENT_CALL)
"""The words an agent token can have."""

API_KEY_SCOPES: Final = tuple(scope for scope in Scope if scope not in AGENT_SCOPES)
"""The words an API key can have."""

OWN: Final = "own"
"""The part of `tasks:read` that was asked for with the same key."""

MAX_SCOPES: Final = 1_500
"""Characters of all words of a token or key together: a token is at most 4 KiB."""

_ALSO: Final[Mapping[Scope, tuple[Scope, ...]]] = {
    Scope.TASKS_WRITE: (Scope.TASKS_READ, Scope.TASKS_CALL),
    Scope.AGENTS_WRITE: (Scope.AGENTS_READ,),
    Scope.TOKENS_WRITE: (Scope.TOKENS_READ,),
    Scope.EVERYTHING: API_KEY_SCOPES,
}

_CALLS: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63}(?:/[A-Za-z_][A-Za-z0-9_-]{0,63})?")
_PARTS: Final = {Scope.AGENT_CALL: _CALLS, Scope.TASKS_CALL: _CALLS, Scope.TASKS_READ: re.compile(OWN)}
"""Which words can be narrowed, and to what."""

_Held: TypeAlias = tuple[Scope, str]
"""A word and its part; empty: all of it."""


def allows(granted: Iterable[str], needed: Scope) -> bool:
    """Say whether the `granted` words have `needed`, or a part of it; a word that is no scope grants nothing."""
    return any(scope is needed for scope, _ in _held(tuple(granted)))


@lru_cache(maxsize=4_096)
def covers(granted: tuple[str, ...], word: str) -> bool:
    """Say whether the `granted` words have the whole of what this word stands for, narrowed or not.

    Kept, for it is asked of every task.
    """
    asked = _read(word)
    if asked is None:
        return False
    scope, part = asked
    return any(held is scope and _within(part, of) for held, of in _held(granted))


def _within(part: str, of: str) -> bool:
    return of in ("", part) or part.startswith(f"{of}/")


@lru_cache(maxsize=1_024)
def _held(words: tuple[str, ...]) -> frozenset[_Held]:
    """Return what these words stand for: kept, for it is asked at every request."""
    held: set[_Held] = set()
    for scope, part in filter(None, map(_read, words)):
        held.add((scope, part))
        held.update((also, "") for also in _ALSO.get(scope, ()))
    # What one may ask for, one may see.
    if any(scope is Scope.TASKS_CALL for scope, _ in held):
        held.add((Scope.TASKS_READ, OWN))
    return frozenset(held)


def _read(word: str) -> _Held | None:
    """Return what a word stands for; None for what is none."""
    if word in _WORDS:
        return _WORDS[word], ""
    head, _, part = word.rpartition(":")
    scope = _WORDS.get(head)
    parts = None if scope is None else _PARTS.get(scope)
    return (scope, part) if scope is not None and parts is not None and parts.fullmatch(part) else None


_WORDS: Final = {scope.value: scope for scope in Scope}


def parse_scopes(text: str, known: tuple[Scope, ...]) -> tuple[str, ...]:
    """Read words separated by spaces (RFC 6749 section 3.3), in their order, each once.

    `known` is `AGENT_SCOPES` or `API_KEY_SCOPES`.

    Raises:
        InvalidInput: a word is not in `known` (`unknown_scope`); at most 64 characters of it are in the message. Or
            they have more than `MAX_SCOPES` characters (`too_many_scopes`).
    """
    words = tuple(dict.fromkeys(text.split()))
    for word in words:
        held = _read(word)
        if held is None or held[0] not in known:
            raise InvalidInput(
                f"{word[:64]!r} is not a scope here: choose from {', '.join(map(_form, known))}", code="unknown_scope"
            )
    if len(" ".join(words)) > MAX_SCOPES:
        raise InvalidInput(f"all scopes together have at most {MAX_SCOPES} characters", code="too_many_scopes")
    return words


def _form(scope: Scope) -> str:
    """Return a word as people are told of it."""
    if scope not in _PARTS:
        return scope.value
    return f"{scope.value}[:{OWN if scope is Scope.TASKS_READ else 'OWNER/AGENT[/SKILL]'}]"


def format_scopes(scopes: Iterable[str]) -> str:
    """Write scopes as `parse_scopes` reads them."""
    return " ".join(scopes)
