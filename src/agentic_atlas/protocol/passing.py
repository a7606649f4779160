"""What one struct passes on to another: the fields that both have, by their names.

A task is asked for, kept, delivered and shown as four structs, and most of what they hold is the same under the same
name. Named once each, a field more is only declared where it is to be; what differs is given beside it.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def passed_on(kind: type[T], source: msgspec.Struct, **unlike: object) -> T:
    """Return a struct of this kind with the fields of `source` that it has too, and these that are its own or differ.

    Raises:
        TypeError: it lacks a field that is in neither, or one of these is none of its.
    """
    names, values = _shared(kind, type(source))
    given: dict[str, Any] = dict(zip(names, values(source), strict=True))
    given.update(unlike)
    return kind(**given)


@cache
def _shared(
    kind: type[msgspec.Struct], source: type[msgspec.Struct]
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(name for name in source.__struct_fields__ if name in kind.__struct_fields__)
    assert len(names) > 1, "structs that have nothing in common pass nothing on"
    return names, attrgetter(*names)
