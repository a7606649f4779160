"""Hypothesis strategies for every message of the wire, made from the types themselves.

A new message or field is generated without a change here; a type that is not known is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from agentic_atlas.protocol.messages import MESSAGES, Limits, Message

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=3,
)
RAW = st.builds(
    lambda value, indent: msgspec.Raw(json.dumps(value, indent=indent).encode()), JSON, st.none() | st.just(1)
)
"""Payloads, some written with line breaks: what is passed on must not be rewritten."""


def _integers(kind: inspect.IntType) -> st.SearchStrategy[Any]:
    return st.integers(kind.ge if kind.ge is not None else -(2**53), kind.le if kind.le is not None else 2**53)


def _floats(kind: inspect.FloatType) -> st.SearchStrategy[Any]:
    low = kind.ge if kind.ge is not None else kind.gt
    return st.floats(low, kind.le, exclude_min=kind.gt is not None, allow_nan=False, allow_infinity=False)


def _texts(kind: inspect.StrType) -> st.SearchStrategy[Any]:
    if kind.pattern is not None:
        # Any character the pattern allows, as often as the length allows: every pattern of ours is one class of them.
        return st.from_regex(kind.pattern.replace("$", r"\Z"), fullmatch=True).map(
            lambda text: text[:1] * len(text[:64])
        )
    return st.text(
        st.characters(exclude_categories=["Cs"]), min_size=kind.min_length or 0, max_size=min(kind.max_length or 20, 20)
    )


def _structs(kind: inspect.StructType) -> st.SearchStrategy[Any]:
    required = {field.name: strategy(field.type) for field in kind.fields if field.required}
    optional = {field.name: strategy(field.type) for field in kind.fields if not field.required}
    values = st.fixed_dictionaries(required, optional=optional)
    return values.map(lambda fields: kind.cls(**fields))


_STRATEGIES: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.IntType: _integers,
    inspect.FloatType: _floats,
    inspect.StrType: _texts,
    inspect.BoolType: lambda _: st.booleans(),
    inspect.NoneType: lambda _: st.none(),
    inspect.RawType: lambda _: RAW,
    inspect.EnumType: lambda kind: st.sampled_from(list(kind.cls)),
    inspect.LiteralType: lambda kind: st.sampled_from(kind.values),
    inspect.ListType: lambda kind: st.lists(strategy(kind.item_type), max_size=3),
    inspect.VarTupleType: lambda kind: st.lists(
        strategy(kind.item_type), min_size=kind.min_length or 0, max_size=3
    ).map(tuple),
    inspect.DictType: lambda kind: st.dictionaries(strategy(kind.key_type), strategy(kind.value_type), max_size=3),
    inspect.UnionType: lambda kind: st.one_of([strategy(member) for member in kind.types]),
    inspect.StructType: _structs,
}


def strategy(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Return values of a type as msgspec describes it."""
    return _STRATEGIES[type(kind)](kind)


def messages_of(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Return messages of one kind."""
    return strategy(inspect.type_info(kind))


MESSAGE: st.SearchStrategy[Message] = st.one_of([messages_of(kind) for kind in MESSAGES])
LIMITS = Limits()
