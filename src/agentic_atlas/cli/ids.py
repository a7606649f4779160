"""Ids of tasks as people write them: the beginning will do where it is the only one. Pure, but for `task`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentic_atlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

SHORT = 16
"""Characters of an id in a list: the millisecond of its making and a little chance."""
_BEGINNING = re.compile(r"tsk_[0-9a-z]{1,25}")
_SHOWN = 4


async def task(atlas: AsyncClient, typed: str) -> str:
    """Return the id of the task whose id begins as was typed.

    Raises:
        NotFound: there is none that can be seen. InvalidInput: there are several.
    """
    if not _BEGINNING.fullmatch(typed):
        return typed  # A whole id, or none at all, which the platform says better.
    found = (await atlas.tasks.page(prefix=typed, limit=_SHOWN)).items
    if not found:
        raise NotFound(f"there is no task whose id begins with {typed}", code="task_not_found")
    if len(found) > 1:
        listed = ", ".join(one.id for one in found) + (", …" if len(found) == _SHOWN else "")
        raise InvalidInput(f"{typed} begins the ids of several tasks: {listed}", code="ambiguous_id")
    return found[0].id


def shortened(ids: Sequence[str]) -> list[str]:
    """Return the beginnings of ids that tell them apart from each other."""
    length = SHORT
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return [one[:length] for one in ids]
