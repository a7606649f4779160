import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from agentic_atlas import Agent, Context, SyncContext
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.skills.parameters import Declaration, read_parameters


class Opaque:
    """No type that JSON knows."""


class Order(BaseModel):
    count: int


def context_of(function: Any, kind: type[Context] = Context) -> str | None:
    return read_parameters(function, Declaration.of(function), context=kind)[1]


async def by_annotation(text: str, somehow: Context) -> None: ...


async def by_name(text: str, ctx) -> None: ...


async def in_the_middle(text: str, ctx: Context, language: str = "fr") -> None: ...


async def optional(text: str, c: Context | None = None) -> None: ...


async def unresolved(text: str, c: "Context") -> None: ...


def blocking(c: SyncContext, text: str) -> None: ...


async def without(text: str) -> None: ...


async def another_ctx(ctx: str) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (by_annotation, "somehow"),
        (by_name, "ctx"),
        (in_the_middle, "ctx"),
        (optional, "c"),
        (unresolved, "c"),
        (without, None),
        (another_ctx, None),
    ],
)
def test_the_context_may_be_in_any_place_or_missing(function: Any, expected: str | None) -> None:
    assert context_of(function) == expected


def test_a_plain_function_may_name_either_context() -> None:
    def ordinary(c: Context, text: str) -> None: ...

    assert context_of(blocking, SyncContext) == "c"
    assert context_of(ordinary, SyncContext) == "c"


def test_texts_in_annotated_are_the_description() -> None:
    def skill(a: Annotated[str, "What to say", Field(max_length=3)], b: Annotated[int, "Times", "up to 5"]) -> None: ...

    fields = read_parameters(skill, Declaration.of(skill), context=Context)[0]
    assert [field.description for field in fields] == ["What to say", "Times up to 5"]


def args(*words: str) -> None: ...


def kwargs(**words: str) -> None: ...


def positional(word: str, /) -> None: ...


def untyped(text: str, count) -> None: ...


def opaque(text: Opaque) -> None: ...


def unknown(text: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


def broken(text: "str[") -> None: ...  # type: ignore[valid-type]  # noqa: F722


def wrong_default(language: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013


def wrong_choice(size: Literal["s", "m"] = "xl") -> None: ...  # type: ignore[assignment]


def wrong_model(order: Order = {"count": "many"}) -> None: ...  # type: ignore[assignment]  # noqa: B006


def two_contexts(ctx: Context, c: Context) -> None: ...


@pytest.mark.parametrize(
    ("function", "problem", "fix"),
    [
        (args, 'parameter "words" takes any number of values', "named parameter"),
        (kwargs, 'parameter "words" takes any name', "named parameter"),
        (positional, 'parameter "word" has no name', "named parameter"),
        (untyped, 'parameter "count" has no type', "`count: Any`"),
        (opaque, 'type of parameter "text" has no JSON form', "Pydantic models"),
        (unknown, 'name "Nowhere", which is not known', "top of the module"),
        (broken, "an annotation cannot be read", "write a type"),
        (wrong_default, 'default of parameter "language" is not of its type', "| None = None"),
        (wrong_choice, 'default of parameter "size" is not of its type', "change one"),
        (wrong_model, 'default of parameter "order" is not of its type: /count', "change one"),
        (two_contexts, 'both "ctx" and "c" are the context', "keep one"),
    ],
)
def test_a_signature_that_cannot_work_is_refused_at_import_with_its_place_and_its_fix(
    function: Any, problem: str, fix: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Agent("tester").skill(function)
    message = caught.value.message
    line = function.__code__.co_firstlineno
    assert re.match(rf".*test_parameters\.py:{line}: skill {function.__name__}: ", message)
    assert problem in message
    assert fix in message


def test_an_async_skill_cannot_ask_for_the_context_that_blocks() -> None:
    async def skill(ctx: SyncContext) -> None: ...

    with pytest.raises(ConfigurationError, match="annotate it as Context"):
        Agent("tester").skill(skill)


def test_a_default_that_pydantic_makes_is_left_to_it() -> None:
    def skill(count: int = Field(default=3, ge=1)) -> None: ...

    agent = Agent("tester")
    agent.skill(skill)
    assert skills_of(agent)["skill"].signature.read_input(b"{}") == {"count": 3}
