"""The agent as it runs in its own folder: its skills, what they take, and whom it asks."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest
from inquiry.plan import Source
from research_samples import hits, library

from agentic_atlas import Agent, TaskError
from agentic_atlas.testing import running

HOME = Path(__file__).resolve().parent.parent
Load = Callable[[], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads agent.py for this test alone, because it reads its settings when it is loaded."""

    def loaded() -> ModuleType:
        found = importlib.util.spec_from_file_location("research_agent", HOME / "agent.py")
        assert found is not None and found.loader is not None
        made = importlib.util.module_from_spec(found)
        monkeypatch.setitem(sys.modules, found.name, made)
        found.loader.exec_module(made)
        return made

    return loaded


def test_the_skills_say_what_they_take_and_give(load: Load) -> None:
    skills = load().agent.skills
    assert list(skills) == ["report", "plan"]
    assert all(skill.description for skill in skills.values())
    taken = json.loads(bytes(skills["report"].input_schema))
    assert taken["required"] == ["question"]
    assert taken["properties"]["machine"]["enum"] == ["when asked", "always", "never"]
    given = json.loads(bytes(skills["report"].output_schema))
    assert skills["report"].streams
    assert set(given["items"]["discriminator"]["mapping"]) == {"section", "report"}


def test_whom_it_asks_is_a_setting(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_AGENT", "ana/papers")
    monkeypatch.setenv("MACHINE_AGENT", "")
    monkeypatch.delenv("TABLES_AGENT", raising=False)
    assert load().AGENTS == {Source.DOCUMENTS: "ana/papers", Source.TABLES: "table_query", Source.MACHINE: ""}


def others(searching: Event, stopped: Event) -> list[Agent]:
    """Small agents under the names of the real ones; the search never ends."""
    documents, tables = Agent("document_search"), Agent("table_query")

    @documents.skill
    async def status() -> dict[str, Any]:
        return library()

    @documents.skill
    async def search(query: str, limit: int) -> dict[str, Any]:
        if "endless" not in query:
            return hits(query, limit)
        searching.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return {}

    @tables.skill(name="tables")
    async def list_tables() -> dict[str, Any]:
        return {"tables": [], "table_count": 0, "skipped": [], "skipped_count": 0}

    return [documents, tables]


def test_over_a_network_it_gives_what_the_readme_shows(load: Load) -> None:
    question = "What is the access code of house 096? How much memory is free?"
    with running(load().agent, *others(Event(), Event())) as research:
        task = research.submit("report", question=question)
        chunks = [event.data["value"] for event in task.events() if event.kind == "chunk"]
        assert task.result(10) == chunks
        planned = research.call("plan", question=question)
    shown = json.loads((HOME / "README.md").read_text("utf-8").split("```json")[1].split("```")[0])
    assert shown[0] == chunks[0]
    assert shown[1].keys() == chunks[-1].keys() == {"kind", "report", "citations"}
    assert "`system_report`" in chunks[-1]["report"]  # it is not there at all
    assert [ask["agent"] for ask in planned["asks"]] == ["document_search", "system_report"]


def test_cancelling_a_report_cancels_what_it_asked(load: Load) -> None:
    searching, stopped = Event(), Event()
    with running(load().agent, *others(searching, stopped)) as research:
        task = research.submit("report", question="Is there an endless story?")
        assert searching.wait(10)
        task.cancel("no more")
        with pytest.raises(TaskError) as caught:
            task.result(10)
        assert caught.value.state == "canceled"
        assert stopped.wait(10)
