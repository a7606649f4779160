"""What agents declare and callers send, from the door of the API to the process that checks and back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from agentic_atlas.backend.checker.process import PROGRAM
from agentic_atlas.protocol.messages import Raw, SkillSpec
from tests.integration.api.network import Api, api
from tests.integration.checker.test_process import ODD


class Leaf(BaseModel):
    op: Literal["leaf"]
    field: str


class Not(BaseModel):
    op: Literal["not"]
    of: "Filter"


class Both(BaseModel):
    op: Literal["both"]
    all: list["Filter"]


class Either(BaseModel):
    op: Literal["either"]
    all: list["Filter"]


Filter = Annotated[Leaf | Not | Both | Either, Field(discriminator="op")]


class Tree(BaseModel):
    left: "Tree | None" = None
    right: "Tree | None" = None


@asynccontextmanager
async def prepared(folder: Path, checker: tuple[str, ...] = PROGRAM) -> AsyncIterator[Api]:
    async with api(folder, checker=checker) as running:
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield running


def skill(schema: object) -> SkillSpec:
    return SkillSpec("take", Raw(json.dumps(schema).encode()))


def taking(annotation: Any) -> SkillSpec:
    schema = TypeAdapter(annotation).json_schema()
    return skill({"$defs": schema.pop("$defs"), "type": "object", "properties": {"value": schema}})


async def submitted(atlas: Api, value: object) -> dict[str, Any]:
    answer = await atlas.admin.post(
        "/api/v1/tasks", json={"agent": "hello", "skill": "take", "input": {"value": value}}
    )
    assert answer.status_code in (201, 422), answer.text
    return dict(answer.json())


@pytest.mark.parametrize("nested", ["of", "all"])
async def test_a_recursive_type_is_an_input_to_the_depth_of_any_input(nested: str, tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", taking(Filter))
        for field, deepest in (("a", "submitted"), (3, None)):
            value: dict[str, object] = {"op": "leaf", "field": field}
            for _ in range(56 if nested == "of" else 28):
                value = {"of": value, "op": "not"} if nested == "of" else {"all": [value], "op": "either"}
            told = await submitted(atlas, value)
            assert told.get("state") == deepest
            if deepest is None:
                assert told["error"]["message"].endswith('/field: 3 is not of type "string"')


async def test_a_tree_of_any_shape_is_an_input(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", taking(Tree))
        tree: object = None
        for number in range(56):
            tree = {"left": tree, "right": None} if number % 2 else {"right": tree, "left": {}}
        assert (await submitted(atlas, tree))["state"] == "submitted"


async def test_a_check_that_takes_too_long_costs_one_task_and_holds_nobody_up(tmp_path: Path) -> None:
    apart = skill({"properties": {"value": {"pattern": r"^\p{L}{1,64}$"}}})

    async with prepared(tmp_path, ODD) as atlas:
        await atlas.connect(atlas.admin, "hello", apart)
        async with asyncio.TaskGroup() as group:
            long = group.create_task(submitted(atlas, "work"))
            answered = 0
            while not long.done():
                assert (await atlas.admin.get("/api/v1/tasks")).status_code == 200
                answered += 1
        assert answered > 10
        assert long.result()["error"]["code"] == "schema_too_costly"
        assert "send less at once" in long.result()["error"]["message"]
        assert (await atlas.admin.get("/api/v1/tasks")).json()["items"] == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "#"}, 'refers to "#"'),
        ({"$ref": "#", "title": "x" * 5_000}, 'refers to "#"'),
        ({"$dynamicRef": "#x"}, r'holds "\$dynamicRef"'),
        ({"pattern": "[^/]{9000}"}, "when compiled"),
        ({"type": "nothing"}, "not a JSON Schema"),
    ],
)
async def test_an_agent_that_declares_what_is_not_taken_is_told_of_which_skill_and_why(
    schema: object, problem: str, tmp_path: Path
) -> None:
    async with prepared(tmp_path) as atlas:
        with pytest.raises(AssertionError, match=f"code='invalid_schema', message='skill take, input: .*{problem}"):
            await atlas.connect(atlas.admin, "hello", skill(schema))
