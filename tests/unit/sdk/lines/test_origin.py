"""Whose line it is: certain, or nobody's."""

from __future__ import annotations

import threading

import pytest

from agentic_atlas.sdk.lines import origin
from agentic_atlas.sdk.lines.origin import CURRENT, SKILL_THREAD, Origin, current, trace_id
from tests.unit.sdk.lines.test_printed import attempt, within

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_trace_is_known_by_the_id_in_its_traceparent() -> None:
    assert trace_id(f"00-{TRACE}-b7ad6b7169203331-01") == TRACE
    assert trace_id("") == ""


def test_it_is_the_attempts_while_that_runs() -> None:
    assert current() is None
    one = attempt("t1")
    context = within(one)
    assert context.run(current) is one
    one.over = True
    assert context.run(current) is None


@pytest.mark.parametrize(("name", "certain"), [(f"{SKILL_THREAD}count", True), ("pool_0", False)])
def test_where_threads_have_the_variables_of_who_started_them_only_those_of_one_attempt_count(
    monkeypatch: pytest.MonkeyPatch, name: str, certain: bool
) -> None:
    monkeypatch.setattr(origin, "_THREADS_INHERIT", True)
    one, found = attempt("t1"), list[Origin | None]()

    def look() -> None:
        CURRENT.set(one)
        found.append(current())

    thread = threading.Thread(target=look, name=name)
    thread.start()
    thread.join()
    assert found == [one if certain else None]
    assert within(one).run(current) is one
