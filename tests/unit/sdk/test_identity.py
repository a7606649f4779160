import os
import platform
from pathlib import Path
from typing import Any

import msgspec

from agentic_atlas import Agent, __version__
from agentic_atlas.protocol.messages import InstanceInfo
from agentic_atlas.sdk.agent import skills_of as of_agent
from agentic_atlas.sdk.identity import code_hash, instance


def skills_of(path: Path, source: str) -> Any:
    """Declare the function in a source file as a skill."""
    path.write_text(source)
    scope: dict[str, Any] = {}
    exec(compile(source, str(path), "exec"), scope)
    agent = Agent("tester")
    agent.skill(scope["skill"])
    return list(of_agent(agent).values())


def test_an_instance_is_this_process() -> None:
    made = instance("i1", [])
    assert (made.id, made.pid, made.host) == ("i1", os.getpid(), platform.node())
    assert made.sdk == f"agentic-atlas/{__version__}"
    assert platform.python_version() in made.runtime
    assert msgspec.convert(msgspec.to_builtins(made), InstanceInfo) == made


def test_the_digest_of_the_code_follows_the_code_and_not_its_place(tmp_path: Path) -> None:
    first = code_hash(skills_of(tmp_path / "a.py", "def skill() -> int: return 1"))
    moved = code_hash(skills_of(tmp_path / "b.py", "def skill() -> int: return 1"))
    changed = code_hash(skills_of(tmp_path / "c.py", "def skill() -> int: return 2"))
    assert first == moved
    assert first != changed
    assert len(first) == 16


def test_without_source_there_is_no_digest(tmp_path: Path) -> None:
    skills = skills_of(tmp_path / "a.py", "def skill() -> int: return 1")
    (tmp_path / "a.py").unlink()
    assert code_hash(skills) == ""
