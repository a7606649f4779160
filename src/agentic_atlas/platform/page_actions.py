"""Errors as pages say them: where a message names a command, a page names the place at which the same is done. Pure."""

import re
from collections.abc import Mapping
from typing import Final

PLACES: Final[Mapping[str, str]] = {
    "users totp": "Settings > Account",
    "users password": "Settings > Account",
    "users identities": "Settings > Account",
    "users": "Settings > People",
    "groups list": "Settings > Account",
    "groups": "Settings > People > Groups",
    "keys rotate": "Settings > Signing keys",
    "keys withdraw": "Settings > Signing keys",
    "keys list --signing": "Settings > Signing keys",
    "keys": "Settings > API keys",
    "tokens": "Generate token",
    "agents enable": "the agent's settings",
    "agents share": "the agent's settings",
    "agents delete": "the agent's settings",
    "agents": "Local Agents",
    "call": "the page of the skill",
    "tasks": "the task's page",
    "audit": "Settings > Audit log",
    "whoami": "Settings > Account",
}
"""Where on the pages the same is done as by a command; of two that a command begins with, the longer one."""
_COMMAND: Final = re.compile(r"`atlas ([^`]+)`")
_ROUTE: Final = re.compile(r" \(`[A-Z]+ /api/[^`]*`\)")
"""What programs do instead, behind a command."""


def on_pages(message: str) -> str:
    """Return a message with places on the pages in place of commands; one that has no such place stays."""
    return _COMMAND.sub(lambda found: place_of(found[1]) or found[0], _ROUTE.sub("", message))


def place_of(command: str) -> str:
    """Return where the same is done as by a command, which is given without `atlas`; empty: nowhere."""
    words = command.split()
    for count in range(min(3, len(words)), 0, -1):
        place = PLACES.get(" ".join(words[:count]))
        if place is not None:
            return place
    return ""
