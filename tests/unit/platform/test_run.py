"""What is seen of a task on the page of its skill: no more of what agents sent than is shown is written for people."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import Raw

from agentic_atlas.platform.run import MOST_LINES, MOST_SHOWN, SkillRun, output_of, run_of
from agentic_atlas.protocol.caller.tasks import EventInfo

AT = datetime(2026, 1, 1, tzinfo=UTC)


def shown(output: bytes | None, *events: tuple[str, bytes]) -> SkillRun:
    task: Any = SimpleNamespace(
        id="tsk_1", state="completed", done=True, note="", question=None, failure=None, created_at=AT,
        output=None if output is None else Raw(output),
    )  # fmt: skip
    found: Any = [
        SimpleNamespace(seq=seq, at=AT, kind=kind, data=Raw(data), attempt=1)
        for seq, (kind, data) in enumerate(events, 1)
    ]
    return run_of(task, cast("list[EventInfo]", found), more=False)


def test_an_output_is_written_in_lines_unless_it_is_long() -> None:
    assert shown(b'{"a":[1]}').output == '{\n  "a": [\n    1\n  ]\n}'
    text = shown(b'"' + b"x" * 30_000 + b'"')
    assert (len(text.output), text.cut) == (MOST_SHOWN, True)


@pytest.mark.parametrize("event", ["output", "chunk"])
def test_of_an_output_of_many_values_only_the_beginning_is_read(event: str) -> None:
    lists = b"[" + b"[]," * 300_000 + b"[]]"
    tracemalloc.start()
    run = shown(lists) if event == "output" else shown(None, ("chunk", b'{"value":' + lists[:240_000] + b"]}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ((run.output or run.streamed)[:4], len(run.output or run.streamed), run.cut) == ("[[],", MOST_SHOWN, True)
    assert peak < (2_000_000 if event == "output" else 12_000_000)


def test_what_happened_is_told_up_to_the_last_lines() -> None:
    lost = b'{"connection":"lost","why":"' + b"x" * 1_000 + b'"}'
    run = shown(None, *[("connection", lost)] * (MOST_LINES + 1))
    assert ([run.lines[0].seq, run.lines[-1].seq], run.cut) == ([2, MOST_LINES + 1], True)
    assert run.lines[0].text.startswith("lost: ")
    asked = b'{"number":1,"question":"' + b"x" * 1_000 + b'"}'
    assert len(shown(None, ("question", asked), ("progress", b"{}")).lines[0].text) == 500


def test_pieces_of_an_output_are_put_together_and_nothing_else_is() -> None:
    said = [
        ("chunk", b'{"value":"one\\u0007 "}'),
        ("log", b'{"level":"info","event":"said"}'),
        ("chunk", b'{"value":"two"}'),
        ("chunk", b'{"value":{"a":[1]}}'),
    ]
    found: Any = [SimpleNamespace(seq=n, at=AT, kind=kind, data=Raw(data)) for n, (kind, data) in enumerate(said, 3)]
    assert output_of(found) == 'one\\u0007 two{"a": [1]}\n'
    assert output_of([]) == ""
    assert shown(None, *said).shown == 4
