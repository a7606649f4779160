import datetime
import uuid
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from agentic_atlas.sdk.forms.faults import MOST, faults, faults_of_json, sentence


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def found(annotation: Any, value: Any) -> list[dict[str, str]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(annotation).validate_python(value)
    return faults(caught.value, value)


def test_a_path_is_a_json_pointer_into_the_value() -> None:
    assert found(dict[str, list[int]], {"a/b~c": [1, "x"]})[0]["path"] == "/a~1b~0c/1"


def test_branches_of_a_union_are_no_part_of_a_path() -> None:
    assert {fault["path"] for fault in found(dict[str, int | bool], {"n": "many"})} == {"/n"}
    assert found(list[Pet], [{"kind": "cat"}])[0]["path"] == "/0"


def test_a_missing_member_is_named_though_it_is_not_there() -> None:
    assert found(Cat, {"kind": "cat"}) == [{"path": "", "message": "lives is missing"}]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(int, "secret-7"), (Pet, {"kind": "secret-7"}), (list[int], ["secret-7"]), (Literal["a"], "secret-7")],
)
def test_no_value_is_echoed(annotation: Any, value: Any) -> None:
    assert "secret-7" not in str(found(annotation, value))


def test_a_long_list_of_faults_is_cut() -> None:
    assert len(found(list[int], ["x"] * 1_000)) == MOST


def test_json_that_cannot_be_read_has_one_fault_at_its_root() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_json(b"{")
    assert [fault["path"] for fault in faults_of_json(caught.value, b"{")] == [""]


@pytest.mark.parametrize(
    ("annotation", "value", "fault"),
    [
        (Pet, {"kind": "cow"}, {"path": "/kind", "message": "has to be one of cat, dog"}),
        (Pet, {"lives": 9}, {"path": "", "message": "kind is missing"}),
        (Pet, 3, {"path": "", "message": 'it is not of type "object"'}),
        (int | float | str, [], {"path": "", "message": 'it is not of types "integer", "number", "string"'}),
        (Cat | int, {"kind": "cat"}, {"path": "", "message": "lives is missing"}),
        (list[int] | int, ["x"], {"path": "/0", "message": 'it is not of type "integer"'}),
        (Literal["a", "b"], "c", {"path": "", "message": "has to be one of a, b"}),
        (Annotated[str, Field(pattern="^a")], "b", {"path": "", "message": 'it does not match "^a"'}),
        (datetime.date, "soon", {"path": "", "message": "has to be a date such as 2024-02-29"}),
        (datetime.datetime, "soon", {"path": "", "message": "has to be a date-time such as 2024-02-29T12:00:00Z"}),
        (datetime.time, "soon", {"path": "", "message": "has to be a time such as 12:00:00"}),
        (datetime.timedelta, "soon", {"path": "", "message": "has to be a duration such as PT1H30M"}),
        (uuid.UUID, "x", {"path": "", "message": "has to be a uuid such as 123e4567-e89b-42d3-a456-426614174000"}),
        (dict[str, list[int]], {"a": ["x"]}, {"path": "/a/0", "message": 'it is not of type "integer"'}),
    ],
)
def test_what_is_wrong_is_said_as_a_network_says_it(annotation: Any, value: Any, fault: dict[str, str]) -> None:
    assert found(annotation, value) == [fault]


def test_the_sentence_tells_some_faults_and_how_many_more() -> None:
    assert sentence([{"path": "/a", "message": "no"}, {"path": "", "message": "not so"}]) == "/a: no; not so"
    assert sentence([{"path": f"/{n}", "message": "no"} for n in range(7)]).endswith("/4: no; and 2 more")
    assert sentence([]) == "it is not valid"
