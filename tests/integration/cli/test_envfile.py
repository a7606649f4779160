from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agentic_atlas.cli.envfile import set_values
from agentic_atlas.errors import AtlasError, ConfigurationError, InvalidInput


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_only(at_home: Path) -> None:
    set_values(at_home / ".env", {"A": "1", "B": ""})
    assert (at_home / ".env").read_text() == "A=1\nB=\n"
    assert mode(at_home / ".env") == 0o600
    assert list(at_home.iterdir()) == [at_home / ".env"]


def test_a_value_is_changed_where_it_stands_and_all_else_stays(at_home: Path) -> None:
    path = at_home / ".env"
    path.write_text(
        "# my agent\nexport AGENT_JWT_TOKEN = old\n\nOTHER='a b'\nAGENT_JWT_TOKEN=older\nNOT_AGENT_JWT_TOKEN=x"
    )
    path.chmod(0o644)
    set_values(path, {"AGENT_JWT_TOKEN": "new.token", "MORE": "1"})
    assert path.read_text() == "# my agent\nAGENT_JWT_TOKEN=new.token\n\nOTHER='a b'\nNOT_AGENT_JWT_TOKEN=x\nMORE=1\n"
    assert mode(path) == 0o600


def test_a_link_stays_a_link(at_home: Path) -> None:
    (at_home / "real").write_text("A=1\n")
    (at_home / ".env").symlink_to("real")
    set_values(at_home / ".env", {"A": "2"})
    assert (at_home / ".env").is_symlink()
    assert (at_home / "real").read_text() == "A=2\n"


@pytest.mark.parametrize("value", ["two\nlines", "a b", "'", '"', "#", "$HOME", "\x00"])
def test_a_value_that_would_be_read_differently_is_refused(at_home: Path, value: str) -> None:
    with pytest.raises(InvalidInput):
        set_values(at_home / ".env", {"A": value})
    assert list(at_home.iterdir()) == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_env_file_is_left_alone(at_home: Path, content: bytes) -> None:
    (at_home / "photo").write_bytes(content)
    with pytest.raises(ConfigurationError):
        set_values(at_home / "photo", {"A": "1"})
    assert (at_home / "photo").read_bytes() == content


def test_a_folder_is_no_env_file(at_home: Path) -> None:
    with pytest.raises(AtlasError):
        set_values(at_home, {"A": "1"})
