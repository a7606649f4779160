"""What names may look like, in one place; the wire has the same rule for agents (`protocol.messages.Name`)."""

import re

from agentic_atlas.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_RESERVED = frozenset({"tokens"})
"""Words that follow an agent's name in addresses."""

MAX_LABEL = 100
"""Characters of a name that people give, of a token for instance."""


def check_name(name: str, what: str) -> str:
    """Return the name of an agent or user, or raise InvalidInput (`invalid_name`)."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} can't be the name of {what}: use 1 to 64 lower-case letters, digits, '-' and '_', "
            "with a letter or digit at both ends",
            code="invalid_name",
        )
    if name in _RESERVED:
        raise InvalidInput(f"{name!r} can't be the name of {what}: it has a meaning of its own", code="invalid_name")
    return name


def check_label(label: str, what: str) -> str:
    """Return free text that people give a thing, without what breaks a line; raises InvalidInput."""
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidInput(f"{what} is one line of at most {MAX_LABEL} printable characters", code="invalid_name")
    return label


def split_agent(name: str) -> tuple[str | None, str]:
    """Return owner and name of `owner/name`, or None and the name."""
    owner, slash, rest = name.rpartition("/")
    return (owner if slash else None), rest


def full_name(name: str, user: str) -> str:
    """Return `owner/name` of the agent that `name` or `owner/name` means to the user of this name."""
    owner, short = split_agent(name)
    return f"{user if owner is None else owner}/{short}"
