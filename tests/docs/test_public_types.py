"""Every type that a public annotation names is public itself, and in the reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args, get_type_hints

import pytest

import agentic_atlas
from agentic_atlas import testing
from tests.docs.pages import DOCS
from tests.docs.reference.python import MADE_BY_US

PUBLIC = {name: getattr(agentic_atlas, name) for name in agentic_atlas.__all__ if not name.startswith("__")}
PUBLIC |= {f"testing.{name}": getattr(testing, name) for name in testing.__all__}


def functions_of(kind: type) -> Iterator[Callable[..., Any]]:
    """Yield what may be called of a class, its construction too unless it is given by another one."""
    for base in kind.__mro__:
        for name, member in list(vars(base).items()):
            made = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            mine = name == "__init__" and base is kind and kind not in MADE_BY_US
            if inspect.isfunction(made) and (mine or not name.startswith("_")):
                yield inspect.unwrap(made)


def annotations_of(one: Any) -> Iterator[Any]:
    if not isinstance(one, type):
        yield from get_type_hints(inspect.unwrap(one)).values()
        return
    yield from (hint for name, hint in get_type_hints(one).items() if not name.startswith("_"))
    for function in functions_of(one):
        if function.__module__.startswith(("agentic_atlas", __name__)):
            yield from get_type_hints(function).values()


def named_in(hint: Any) -> Iterator[type]:
    """Yield the types of ours in an annotation, however deep."""
    if isinstance(hint, list):
        for part in hint:
            yield from named_in(part)
    if isinstance(hint, TypeVar) and hint.__bound__ is not None:
        yield from named_in(hint.__bound__)
    for part in get_args(hint):
        yield from named_in(part)
    if isinstance(hint, type) and hint.__module__.startswith("agentic_atlas"):
        yield hint


def unknown(one: Any) -> set[str]:
    """Return the names of the types that its annotations name and that are not public."""
    public = set(PUBLIC.values()) | {type(value) for value in PUBLIC.values() if not isinstance(value, type)}
    return {kind.__name__ for hint in annotations_of(one) for kind in named_in(hint) if kind not in public}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_type_that_a_public_annotation_names_is_public(name: str) -> None:
    assert unknown(PUBLIC[name]) == set()


class Hidden:
    """Stands for a type of ours that is not public."""


Hidden.__module__ = "agentic_atlas.hidden"


class ByAttribute:
    attribute: list[Hidden]


class ByProperty:
    @property
    def given(self) -> dict[str, Hidden | None]:
        raise NotImplementedError


class ByArgument:
    def method(self, taken: Callable[[Hidden], int]) -> None:
        raise NotImplementedError


class ByConstruction:
    def __init__(self, made_of: Hidden) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("planted", [ByAttribute, ByProperty, ByArgument, ByConstruction])
def test_a_type_that_is_not_public_is_seen_wherever_it_is_named(planted: type) -> None:
    assert unknown(planted) == {"Hidden"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_has_its_place_in_the_reference(name: str) -> None:
    assert f"### {PUBLIC[name].__name__}\n" in (DOCS / "reference" / "python-api.md").read_text()
