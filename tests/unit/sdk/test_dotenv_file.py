"""A `.env` file in every form that editors, shells and keepers of secrets leave it in."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk import dotenv_file
from agentic_atlas.sdk.dotenv_file import find, read

SECRET = "eyJ0eXAi.secret.part"


def written(folder: Path, content: bytes) -> Path:
    path = folder / ".env"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"NAME=value\n",
        b"NAME=value",
        b"\xef\xbb\xbfNAME=value\r\n",
        b"export NAME=value\n",
        b"NAME = 'value'  # why\n",
        b'NAME="value"\r\nEMPTY=\r\n',
        b"NAME=value   \n",
        b"NAME=' value\n'\n",
        b"NAME=old\nNAME=value\n",
        b"BARE\nNAME=value\n",
    ],
)
def test_the_usual_ways_to_write_a_line_mean_the_same(tmp_path: Path, content: bytes) -> None:
    file = read(written(tmp_path, content))
    assert file.values == {"NAME": "value"}
    assert file.broken == ()
    assert "value" not in repr(file)


def test_a_line_that_cannot_be_read_is_told_by_its_number_and_never_quoted(tmp_path: Path) -> None:
    file = read(written(tmp_path, f'ONE=1\nTOKEN="{SECRET}\nTWO=2\n'.encode()))
    assert file.broken == (2,)
    assert file.values == {"ONE": "1", "TWO": "2"}


@pytest.mark.parametrize("content", ["NAME=value\n".encode("utf-16"), b"NAME=\xff\n"])
def test_what_is_not_utf_8_is_said_to_be_so(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="save it as UTF-8"):
        read(written(tmp_path, content))


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="1 MiB"):
        read(written(tmp_path, b"#" * (1024 * 1024 + 1)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a matter of POSIX")
def test_a_named_pipe_is_read_once_and_in_as_many_pieces_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    os.mkfifo(path, 0o600)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b"NAME=val")
            pipe.write(b"ue\n")

    writer = threading.Thread(target=write)
    writer.start()
    assert find(tmp_path) == path
    file = read(path)
    writer.join()
    assert file.values == {"NAME": "value"}
    assert not file.again


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a matter of POSIX")
def test_a_named_pipe_that_nobody_writes_into_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dotenv_file, "_PIPE_SECONDS", 0.01)
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(ConfigurationError, match="nothing was written into the pipe"):
        read(tmp_path / ".env")


def test_a_link_is_followed_and_a_folder_of_that_name_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    (beside / ".env").mkdir(parents=True)
    here.mkdir()
    kept = tmp_path / "kept"
    kept.write_text("NAME=value\n")
    (here / ".env").symlink_to(kept)
    monkeypatch.chdir(here)
    assert find(beside) == here / ".env"
    assert read(here / ".env").values == {"NAME": "value"}
    kept.unlink()
    assert find(beside) is None


def test_a_working_directory_that_is_gone_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert find(None) is None
        assert find(tmp_path) is None
    finally:
        os.chdir(tmp_path)


@pytest.fixture
def somebody_else() -> Iterator[Path]:
    """Not root, who may read everything; and a folder that they reach."""
    if not hasattr(os, "seteuid"):
        pytest.skip("rights on files are a matter of POSIX")
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o777)
        if root:
            os.seteuid(65534)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)


def test_a_file_that_may_not_be_read_is_a_plain_sentence(somebody_else: Path) -> None:
    path = written(somebody_else, b"NAME=value\n")
    path.chmod(0o200)
    with pytest.raises(ConfigurationError, match=r"can't read .*: Permission denied"):
        read(path)


def test_a_folder_that_may_not_be_looked_into_is_passed_over(somebody_else: Path) -> None:
    inner = somebody_else / "closed" / "inner"
    inner.mkdir(parents=True)
    written(inner, b"NAME=value\n")
    inner.parent.chmod(0o000)
    assert find(inner) in (None, Path.cwd() / ".env")
    inner.parent.chmod(0o700)
