"""The agent as it runs in its own folder: its skills, what they give, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.forms.typed import encode_output

HOME = Path(__file__).resolve().parent.parent


@pytest.fixture
def module(folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """agent.py, loaded for this test alone, because it reads its settings when it is loaded."""
    monkeypatch.setenv("DOCUMENTS_FOLDER", str(folder))
    monkeypatch.setenv("DOCUMENTS_INDEX", str(database))
    found = importlib.util.spec_from_file_location("document_search_agent", HOME / "agent.py")
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, found.name, made)
    found.loader.exec_module(made)
    return made


def test_the_skills_say_what_they_take(module: ModuleType) -> None:
    skills = module.agent.skills
    assert list(skills) == ["search", "index", "status"]
    assert all(skill.description for skill in skills.values())
    taken = json.loads(bytes(skills["search"].input_schema))
    assert taken["required"] == ["query"]
    assert taken["properties"]["limit"] == {
        "default": 5,
        "description": "Passages wanted",
        "maximum": 20,
        "minimum": 1,
        "type": "integer",
    }


def test_an_answer_has_the_shape_that_the_readme_shows(module: ModuleType, folder: Path) -> None:
    (folder / "lease.md").write_text("# Lease\n\nThe notice period is three months.")

    async def answered() -> object:
        async with module.following(module.agent):
            answer = await module.documents.search("notice period", 5)
            status = await module.status()
            assert status.totals.files == 1
            return module.SearchAnswer(answer.hits, answer.complete)

    output = skills_of(module.agent)["search"].signature.output
    given = json.loads(bytes(encode_output(asyncio.run(answered()), output, Limits())))
    assert given["complete"] is True
    (hit,) = given["hits"]
    assert hit.pop("score") > 0.9
    assert hit == {
        "file": "lease.md",
        "position": {"unit": "line", "number": 3},
        "title": "Lease",
        "heading": "Lease",
        "snippet": "# Lease The **notice** **period** is three months.",
    }
    shown = json.loads((HOME / "README.md").read_text("utf-8").split("```json")[1].split("```")[0])
    assert shown.keys() == given.keys()
    assert shown["hits"][0].keys() == hit.keys() | {"score"}


def test_without_its_folder_it_says_how_to_set_one_and_ends(tmp_path: Path) -> None:
    # A token has three parts; these are enough to get as far as the folder.
    settings = {"AGENT_JWT_TOKEN": "head.body.signature", "DOCUMENTS_FOLDER": str(tmp_path / "missing")}
    ended = subprocess.run(
        [sys.executable, "agent.py"],
        cwd=HOME,
        env={**os.environ, **settings},  # noqa: TID251
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "set DOCUMENTS_FOLDER" in ended.stderr and "Traceback" not in ended.stderr
