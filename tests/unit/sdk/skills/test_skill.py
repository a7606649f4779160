import asyncio
import functools
import math
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.skills.skill import Kind


async def asynchronous(text: str) -> str:
    """Do it.

    With care.
    """
    return text


def plain() -> None: ...


async def streaming() -> AsyncIterator[str]:
    yield "a"


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def in_background(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return wrapper


def generator() -> Iterator[int]:
    yield 1


def only(agent: Agent) -> Any:
    (skill,) = skills_of(agent).values()
    return skill


@pytest.mark.parametrize(
    ("function", "options", "kind"),
    [
        (asynchronous, {}, Kind.ASYNC),
        (plain, {}, Kind.THREAD),
        (plain, {"process": True}, Kind.PROCESS),
        (streaming, {}, Kind.STREAM),
        (generator, {}, Kind.GENERATOR),
        (logged(asynchronous), {}, Kind.WRAPPED),
        (logged(streaming), {}, Kind.WRAPPED),
        (logged(logged(asynchronous)), {}, Kind.WRAPPED),
        (logged(plain), {}, Kind.THREAD),
        (logged(plain), {"process": True}, Kind.PROCESS),
        (logged(generator), {}, Kind.GENERATOR),
        (in_background(plain), {}, Kind.ASYNC),
        (logged(in_background(plain)), {}, Kind.WRAPPED),
    ],
)
def test_the_outermost_function_and_those_it_wraps_decide_how_it_runs(function: Any, options: Any, kind: Kind) -> None:
    agent = Agent("tester")
    agent.skill(**options)(function)
    assert only(agent).kind is kind


def test_the_decorator_leaves_the_function_what_it_was() -> None:
    agent = Agent("tester")
    assert agent.skill(plain) is plain
    assert agent.skill(name="again")(plain) is plain


def test_name_and_docstring_are_declared() -> None:
    agent = Agent("tester")
    agent.skill(asynchronous)
    spec = only(agent).spec()
    assert (spec.name, spec.description, spec.streams) == ("asynchronous", "Do it.\n\nWith care.", False)
    assert spec.policy == Policy()


def test_options_replace_what_the_function_says() -> None:
    agent = Agent("tester")
    agent.skill(
        name="do-it", description="Does it", timeout=60, retries=0, backoff=5, delivery="at_most_once", max_attempts=1
    )(asynchronous)
    spec = only(agent).spec()
    assert (spec.name, spec.description) == ("do-it", "Does it")
    assert spec.policy == Policy(Delivery.AT_MOST_ONCE, max_attempts=1, retries=0, backoff=5.0, timeout=60.0)


@pytest.mark.parametrize("function", [streaming, generator, logged(streaming), logged(generator)])
def test_a_streaming_skill_says_that_it_streams(function: Any) -> None:
    agent = Agent("tester")
    agent.skill(function)
    assert only(agent).spec().streams


def test_a_method_can_be_a_skill() -> None:
    class Library:
        async def search(self, words: str) -> str:
            return words

    agent = Agent("tester")
    agent.skill(Library().search)
    assert b"self" not in bytes(only(agent).signature.input_schema)


def test_of_a_method_in_its_class_it_is_said_that_skills_are_functions() -> None:
    agent = Agent("tester")
    with pytest.raises(ConfigurationError, match='it is a method, with a parameter "self"; skills are functions'):

        class Library:
            @agent.skill
            async def search(self, words: str) -> str:
                return words


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": "soon"},
        {"retries": -1},
        {"retries": 101},
        {"max_attempts": 0},
        {"delivery": "exactly_once"},
        {"backoff": float("nan")},
        {"name": "two words"},
        {"name": ""},
        {"name": "9lives"},
        {"name": "größe"},
        {"description": "x" * 20_000},
        {"time_out": 5},
        {"delivery": "at_most_once", "retries": 1},
    ],
)
def test_an_option_that_is_not_allowed_is_refused_with_its_place(options: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Agent("tester").skill(**options)(plain)
    assert re.match(r".*test_skill\.py:\d+: skill plain: .+; .+", caught.value.message)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"delivery": "once"}, "its option delivery has to be one of at_least_once, at_most_once, not 'once'"),
        ({"timeout": 0}, "its option timeout has to be over 0, not 0"),
        ({"retries": 101}, "its option retries has to be at most 100, not 101"),
    ],
)
def test_an_option_that_is_not_allowed_is_told_with_what_is(options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        Agent("tester").skill(**options)(plain)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"concurrency": 0}, "concurrency has to be at least 1, not 0"),
        ({"concurrency": "3"}, "concurrency has to be a whole number, not '3'"),
        ({"description": 3}, "description has to be text, not 3"),
        (
            {"concurency": 3},
            "there is no concurency; Agent takes description, concurrency, labels, lifespan, token, router_url, "
            "env_file, max_memory, max_cpu, pause_on_battery, quiet_hours (did you mean concurrency?)",
        ),
    ],
)
def test_an_agent_that_is_not_declared_well_is_told_with_the_field(options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"the agent tester is not declared well: {sentence}")):
        Agent("tester", **options)


def test_two_skills_of_one_name_are_refused() -> None:
    agent = Agent("tester")
    agent.skill(plain)
    with pytest.raises(ConfigurationError, match="two skills with the name plain: give one"):
        agent.skill(name="plain")(asynchronous)


def test_more_skills_than_a_registration_may_hold_are_refused() -> None:
    agent = Agent("tester")
    for number in range(200):
        agent.skill(name=f"skill_{number}")(plain)
    with pytest.raises(ConfigurationError, match="more than 200 skills"):
        agent.skill(name="one_more")(plain)


@pytest.mark.parametrize(
    ("annotation", "count", "problem"),
    [
        (Annotated[str, "long " * 12_000], 8, "have .* bytes, more than 524288; use simpler types"),
        (Annotated[str, Field(pattern=r"^[^/]{1,2000}$")], 5, "take about .* when compiled"),
    ],
)
def test_schemas_that_are_too_much_together_are_refused_at_the_skill_that_goes_too_far(
    annotation: Any, count: int, problem: str
) -> None:
    def heavy(value: annotation) -> None: ...

    agent = Agent("tester")
    for number in range(count):
        agent.skill(name=f"skill_{number}")(heavy)
    with pytest.raises(ConfigurationError, match=rf"test_skill\.py:\d+: skill heavy: the .* of all skills {problem}"):
        agent.skill(name="one_more")(heavy)


def with_context(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("function", "options", "fix"),
    [
        (generator, {"process": True}, "leave out process=True"),
        (asynchronous, {"process": True}, "leave out process=True"),
        (with_context, {"process": True}, "leave out process=True"),
        (Agent, {}, "put it above"),
        (functools.partial(plain), {}, "put it above"),
        (print, {}, "put it above"),
    ],
)
def test_what_cannot_be_a_skill_is_refused_with_the_fix(function: Any, options: Any, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fix)):
        Agent("tester").skill(**options)(function)


@pytest.mark.parametrize("option", ["timeout", "backoff"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_time_that_is_no_number_of_seconds_is_refused_where_it_is_declared(option: str, value: float) -> None:
    def skill() -> None: ...

    with pytest.raises(ConfigurationError, match=rf"its option {option} has to be "):
        Agent("tester").skill(**{option: value})(skill)
