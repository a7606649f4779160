"""Which lines of the agent's own log the network is told, and as what."""

from __future__ import annotations

import io

import msgspec
import pytest

from agentic_atlas.observe.logs import logger
from agentic_atlas.sdk.lines.outlet import Outlet
from agentic_atlas.sdk.lines.own import own_line
from tests.unit.sdk.lines.test_capture import lines


def test_a_line_is_told_in_the_words_that_a_person_reads_and_with_its_fields() -> None:
    outlet = Outlet()
    log = logger("info", "json", io.StringIO(), heard=outlet.hear).bind(agent="words", instance="ins_1")
    log.info("ready", name="ada/words", skills="count")
    log.warning("spool_failing", why="the disk is full", fix="make room")
    log.debug("task_refused", reason="busy")
    try:
        raise ValueError("no such word")
    except ValueError as error:
        log.error("task_failed", skill="count", task="tsk_1", attempt=2, trace="t" * 32, code="handler_error",
                  error="ValueError", exc_info=error)  # fmt: skip
    ready, spool, failed = lines(outlet)
    assert (ready.message, ready.level, ready.source) == ("ready as ada/words (instance ins_1)", "info", "agent")
    assert msgspec.json.decode(ready.fields) == {"name": "ada/words", "skills": "count"}
    assert (spool.level, "the disk is full" in spool.message) == ("warning", True)
    assert (failed.task, failed.attempt, failed.trace, failed.message) == ("tsk_1", 2, "t" * 32, "task failed")
    assert failed.exception.endswith("ValueError: no such word")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "task_received", "level": "info", "task": "tsk_1"},
        {"event": "message_passed", "level": "trace"},
        {"event": "task_refused", "level": "debug"},
        {"event": "of a skill", "level": "error", "source": "task", "task": "tsk_1"},
    ],
    ids=["what the task's events tell", "a message", "a detail", "what a skill logs"],
)
def test_what_the_network_knows_or_need_not_know_is_not_told(event: dict[str, object]) -> None:
    assert own_line(event) is None
