from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agentic_atlas.errors import AtlasError, ConfigurationError, InvalidInput
from agentic_atlas.sdk.dotenv_file import set_values


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    set_values(tmp_path / ".env", {"A": "1", "B": ""})
    assert (tmp_path / ".env").read_text() == "A=1\nB=\n"
    assert mode(tmp_path / ".env") == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / ".env"]


def test_a_value_is_changed_where_it_stands_and_all_else_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(
        "# my agent\nexport AGENT_JWT_TOKEN = old\n\nOTHER='a b'\nAGENT_JWT_TOKEN=older\nNOT_AGENT_JWT_TOKEN=x"
    )
    path.chmod(0o644)
    set_values(path, {"AGENT_JWT_TOKEN": "new.token", "MORE": "1"})
    assert path.read_text() == "# my agent\nAGENT_JWT_TOKEN=new.token\n\nOTHER='a b'\nNOT_AGENT_JWT_TOKEN=x\nMORE=1\n"
    assert mode(path) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to("real")
    set_values(tmp_path / ".env", {"A": "2"})
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text() == "A=2\n"


@pytest.mark.parametrize("value", ["two\nlines", "a b", "'", '"', "#", "$HOME", "\x00"])
def test_a_value_that_would_be_read_differently_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidInput):
        set_values(tmp_path / ".env", {"A": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_env_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo").write_bytes(content)
    with pytest.raises(ConfigurationError):
        set_values(tmp_path / "photo", {"A": "1"})
    assert (tmp_path / "photo").read_bytes() == content


def test_a_folder_is_no_env_file(tmp_path: Path) -> None:
    with pytest.raises(AtlasError):
        set_values(tmp_path, {"A": "1"})


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that takes no files")
def test_a_file_that_can_not_be_written_is_named_and_not_the_draft_of_it() -> None:
    with pytest.raises(OSError, match=r"'/proc/books\.env'$"):
        set_values(Path("/proc/books.env"), {"A": "1"})
