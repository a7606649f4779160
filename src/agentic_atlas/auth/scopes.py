"""What a token or an API key may do: a closed set of words.

A right is held only by its word or by a word that implies it as listed here; no prefix, no pattern. Writing
implies reading of the same noun. `*` stands for every word of API keys and never for those of agents.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from agentic_atlas.errors import InvalidInput


class Scope(StrEnum):
    """One right. Its value is the word on the wire, in the store and on the command line."""

    AGENT_CONNECT = "agent:connect"
    """Connect to a router and run tasks."""
    AGENT_CALL = "agent:call"
    """Call other agents from a running task."""
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    USERS_ADMIN = "users:admin"
    EVERYTHING = "*"
    """All an API key can do, users included."""


AGENT_SCOPES: Final = (Scope.AGENT_CONNECT, Scope.AGENT_CALL)
"""The words an agent token can have."""

API_KEY_SCOPES: Final = tuple(scope for scope in Scope if scope not in AGENT_SCOPES)
"""The words an API key can have."""

_ALSO: Final[Mapping[Scope, tuple[Scope, ...]]] = {
    Scope.TASKS_WRITE: (Scope.TASKS_READ,),
    Scope.AGENTS_WRITE: (Scope.AGENTS_READ,),
    Scope.TOKENS_WRITE: (Scope.TOKENS_READ,),
    Scope.EVERYTHING: API_KEY_SCOPES,
}

_COVERED: Final[Mapping[str, frozenset[Scope]]] = {
    scope.value: frozenset((scope, *_ALSO.get(scope, ()))) for scope in Scope
}


def allows(granted: Iterable[str], needed: Scope) -> bool:
    """Say whether one of the `granted` words is or implies `needed`; a word that is no scope grants nothing."""
    return any(needed in _COVERED.get(word, ()) for word in granted)


def parse_scopes(text: str, known: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Read words separated by spaces (RFC 6749 section 3.3), in their order, each once.

    `known` is `AGENT_SCOPES` or `API_KEY_SCOPES`.

    Raises:
        InvalidInput: a word is not in `known` (`unknown_scope`); at most 64 characters of it are in the message.
    """
    by_word = {scope.value: scope for scope in known}
    unknown = next((word for word in text.split() if word not in by_word), None)
    if unknown is not None:
        raise InvalidInput(
            f"{unknown[:64]!r} is not a scope here: choose from {', '.join(by_word)}", code="unknown_scope"
        )
    return tuple(dict.fromkeys(by_word[word] for word in text.split()))


def format_scopes(scopes: Iterable[Scope]) -> str:
    """Write scopes as `parse_scopes` reads them."""
    return " ".join(scope.value for scope in scopes)
