"""What a row of the audit log tells, in a person's words. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from agentic_atlas.protocol.caller.audit import AuditActor, AuditEntry, AuditObject
from agentic_atlas.protocol.caller.values import Json

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))

_ENTERING = ("sessions.log_in", "sessions.make_key")
"""What somebody does who says a name and has not shown yet that it is theirs."""
_NAMELESS = ("system", "nobody")
"""What is shown of who has no name: the kind."""


def who(entry: AuditEntry) -> str:
    """Return who it was; of whoever tried to log in, as whom."""
    actor = entry.who
    if actor.kind == "nobody" and entry.action in _ENTERING:
        return f"nobody, as {entry.object.name}" if entry.object.name else "nobody, as no user"
    return _named(actor)


def what(about: AuditObject) -> str:
    """Return what it was done to."""
    return " ".join(filter(None, (about.kind, about.name or about.id)))


def details(entry: AuditEntry) -> str:
    """Return all other facts of a row."""
    facts = dict(entry.detail)
    said = [_renamed(facts)] if "rename" in facts else []
    if entry.action.startswith("agents."):
        facts.pop("name", None)  # the row's object is called so
    said += [word(facts.pop(name)) for name, word in _WORDS.items() if name in facts]
    said += [f"{name.replace('_', ' ')} {_plain(fact)}" for name, fact in facts.items()]
    return ", ".join(filter(None, said))


def _renamed(facts: dict[str, Json]) -> str:
    old, new = facts.get("name"), facts.pop("rename")
    return f"{_plain(old)} is called {_plain(new)} now" if old else f"called {_plain(new)} now"


def _span(fact: Json) -> str:
    if not isinstance(fact, int | float):
        return _plain(fact)
    size, unit = next((one for one in _UNITS if fact >= one[0]), (1, "s"))
    return f"{fact / size:.0f} {unit}"


def _count(fact: Json, noun: str) -> str:
    return f"no {noun}" if fact == 0 else f"1 {noun}" if fact == 1 else f"{_plain(fact)} {noun}s"


def _plain(fact: Json) -> str:
    if isinstance(fact, list | tuple):
        return " ".join(map(_plain, fact))
    return str(fact).lower() if isinstance(fact, bool) else str(fact)


_WORDS: Mapping[str, Callable[[Json], str]] = {
    "disabled": lambda fact: "disabled" if fact else "enabled",
    "description": lambda fact: f"described as {_plain(fact)!r}" if fact else "described no more",
    "role": lambda fact: f"as {_plain(fact)}",
    "subjects": lambda fact: f"with {_plain(fact)}",
    "access": lambda fact: {"call": "for calling", "manage": "for managing"}.get(_plain(fact), _plain(fact)),
    "agent": lambda fact: f"of {_plain(fact)}",
    "made_by": lambda fact: f"that {_plain(fact)} made",
    "name": lambda fact: f"for {_plain(fact)}",
    "user": lambda fact: f"user {_plain(fact)}",
    "host": lambda fact: f"on {_plain(fact)}" if fact else "",
    "address": lambda fact: f"from {_plain(fact)}" if fact else "",
    "replaces": lambda fact: f"in place of {_plain(fact)}" if fact else "",
    "overlap": lambda fact: f"which is good for {_span(fact)} more" if fact else "which ended with that",
    "lifetime": lambda fact: f"for {_span(fact)}",
    "scopes": lambda fact: f"good for {_plain(fact)}",
    "renews": lambda fact: "" if fact else "not renewable",
    "issuer": lambda fact: f"by {_plain(fact)}",
    "identity": lambda fact: f"with identity {_plain(fact)}" if fact else "",
    "linked": lambda fact: "linked to them now" if fact else "",
    "made": lambda fact: "made by it" if fact else "",
    "tokens": lambda fact: f"ended {_count(fact, 'token')}",
    "connected": lambda fact: f"closed {_count(fact, 'connection')}",
    "retry_of": lambda fact: f"again {_plain(fact)}",
    "number": lambda fact: f"question {_plain(fact)}",
    "several": lambda _: "by or to several",
    "times": lambda fact: f"{_plain(fact)} more like it",
    "replaced": lambda fact: f"in place of {_plain(fact)}",
    "rows": lambda fact: f"{_plain(fact)} rows",
    "path": lambda fact: f"in {_plain(fact)}",
    "why": lambda fact: _plain(fact),
}
"""What is said of a fact, in this order; of any other one its name."""


def _named(actor: AuditActor) -> str:
    if actor.name in _NAMELESS:  # as users could be called once
        return f"{actor.name} ({actor.kind.replace('_', ' ')})"
    return actor.name or actor.id or actor.kind
