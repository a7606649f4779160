"""Calls that fail, take too long or are given up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

from inquiry.answers import in_order
from inquiry.ask import Asker, Failure
from inquiry.known import Library
from pydantic import TypeAdapter
from research_samples import library

from agentic_atlas.errors import Busy, TaskError

SHAPE = TypeAdapter(Library)


def asked(asker: Asker) -> Library | Failure:
    return asyncio.run(asker.ask("docs", "status", {}, SHAPE))


def test_an_answer_is_read_and_what_is_more_than_known_does_no_harm() -> None:
    async def call(agent: str, skill: str, input: Mapping[str, object]) -> object:
        return library(new_field=[1, 2, 3])

    answer = asked(Asker(call))
    assert isinstance(answer, Library) and answer.totals.files == 2


def test_every_way_to_fail_is_a_reason() -> None:
    async def offline(agent: str, skill: str, input: Mapping[str, object]) -> object:
        raise TaskError("docs.status: docs is offline:\n start it", code="agent_offline")

    async def rejected(agent: str, skill: str, input: Mapping[str, object]) -> object:
        raise TaskError("docs.status: no", code="bad_sql", state="rejected")

    async def busy(agent: str, skill: str, input: Mapping[str, object]) -> object:
        raise Busy("too many calls")

    async def strange(agent: str, skill: str, input: Mapping[str, object]) -> object:
        return {"totals": "many"}

    async def endless(agent: str, skill: str, input: Mapping[str, object]) -> object:
        return await asyncio.Event().wait()

    assert asked(Asker(offline)) == Failure("docs", "status", "docs is offline: start it", gone=True)
    assert asked(Asker(rejected)) == Failure("docs", "status", "rejected: no")
    assert asked(Asker(busy)) == Failure("docs", "status", "too many calls")
    reason = "answered in a form that is not known here: the versions do not fit"
    assert asked(Asker(strange)) == Failure("docs", "status", reason)
    assert asked(Asker(endless, patience=0.01)) == Failure("docs", "status", "did not answer within 0.01 seconds")


def test_only_a_few_calls_are_open_at_the_same_time() -> None:
    open_now = most = 0

    async def call(agent: str, skill: str, input: Mapping[str, object]) -> object:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        return library()

    async def many() -> None:
        asker = Asker(call, at_once=3)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(asker.ask("docs", "status", {}, SHAPE))

    asyncio.run(many())
    assert most == 3


def test_results_come_in_order_whichever_is_ready_first() -> None:
    async def main() -> list[int]:
        last_is_done = asyncio.Event()

        async def first() -> int:
            await last_is_done.wait()
            return 1

        async def last() -> int:
            last_is_done.set()
            return 2

        return [number async for number in in_order([first, last])]

    assert asyncio.run(main()) == [1, 2]


def test_when_the_reader_leaves_nothing_goes_on() -> None:
    ended: list[str] = []

    async def main() -> None:
        async def quick() -> int:
            return 1

        async def endless() -> int:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("endless")
            return 2

        async with aclosing(in_order([quick, endless])) as numbers:
            async for number in numbers:
                assert number == 1
                break
        assert ended == ["endless"]

    asyncio.run(main())
