from __future__ import annotations

import msgspec
import pytest

from agentic_atlas.backend.domain.idempotency import MOST_PARTS, digest


class Asked(msgspec.Struct):
    skill: str
    priority: int = 0


SAME = digest(Asked("greet"), b'{"name":"Ada","at":{"x":1,"y":2}}')


@pytest.mark.parametrize(
    "payload", [b'{"at":{"y":2,"x":1},"name":"Ada"}', b'{ "name": "\\u0041da", "at": {"x":1, "y":2} }']
)
def test_how_an_input_is_written_is_of_no_account(payload: bytes) -> None:
    assert digest(Asked("greet"), payload) == SAME


def test_an_input_of_very_many_parts_has_to_be_written_the_same() -> None:
    payload = b'{"x":[' + b"[]," * MOST_PARTS + b"[]]}"
    assert digest(Asked("greet"), payload) == digest(Asked("greet"), payload)
    assert digest(Asked("greet"), payload) != digest(Asked("greet"), payload.replace(b",", b", "))


@pytest.mark.parametrize(
    ("asked", "payload"),
    [
        (Asked("greet"), b'{"name":"Bob","at":{"x":1,"y":2}}'),
        (Asked("greet"), b'{"name":"Ada","at":{"x":2,"y":1}}'),
        (Asked("greet"), b'{"name":"Ada","at":[1,2]}'),
        (Asked("greet", 5), b'{"name":"Ada","at":{"x":1,"y":2}}'),
        (Asked("part"), b'{"name":"Ada","at":{"x":1,"y":2}}'),
    ],
)
def test_whatever_else_was_asked_for_counts(asked: Asked, payload: bytes) -> None:
    assert digest(asked, payload) != SAME
