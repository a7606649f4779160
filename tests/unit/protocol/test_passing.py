from __future__ import annotations

import msgspec
import pytest

from agentic_atlas.protocol.passing import passed_on


class Kept(msgspec.Struct, frozen=True):
    id: str
    agent: str
    size: int
    secret: str = ""


class Told(msgspec.Struct, frozen=True):
    id: str
    agent: str
    size: str
    more: int = 0


KEPT = Kept("t1", "hello", 7, "s")


def test_fields_of_one_name_are_passed_on_and_what_differs_is_given() -> None:
    assert passed_on(Told, KEPT, size="7 bytes") == Told("t1", "hello", "7 bytes")
    assert passed_on(Told, KEPT, size="7", more=1).more == 1


def test_what_is_given_is_a_field_of_it() -> None:
    with pytest.raises(TypeError):
        passed_on(Told, KEPT, sise="7")


def test_a_field_that_is_in_neither_is_missed() -> None:
    class Wants(msgspec.Struct, frozen=True):
        id: str
        agent: str
        absent: str

    with pytest.raises(TypeError):
        passed_on(Wants, KEPT)
