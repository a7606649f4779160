"""What is ours on a disk: plain files under one name, in folders that nobody else writes in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas.files import FileRefused, check_folder, make_folder, open_own


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("no_umask")
def test_every_folder_that_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert {mode(path) for path in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c")} == {0o700}
    assert mode(tmp_path) == 0o755, "what was there stays as it is"


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(OSError, match=r"exists|directory"):
            make_folder(path)


@pytest.mark.parametrize("bits", [0o770, 0o702, 0o1777, 0o720])
def test_a_folder_that_others_can_write_in_is_refused_with_what_to_do(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    with pytest.raises(FileRefused, match="chmod go-w") as refused:
        check_folder(tmp_path)
    assert refused.value.code == "file_refused"


@pytest.mark.parametrize("bits", [0o700, 0o755, 0o750])
def test_a_folder_that_others_can_only_read_is_taken(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    check_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_refused_to_all_but_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, 4711, -1)
    check_folder(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 4712)
    with pytest.raises(FileRefused, match="another user"):
        check_folder(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    check_folder(tmp_path)


@pytest.mark.usefixtures("no_umask")
def test_a_file_that_is_made_is_for_its_owner_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    os.close(open_own(tmp_path / "new", os.O_RDWR | os.O_CREAT))
    assert mode(tmp_path / "new") == 0o600
    (tmp_path / "there").write_text("content")
    os.close(open_own(tmp_path / "there", os.O_RDWR | os.O_CREAT))
    assert (tmp_path / "there").read_text() == "content"


def test_a_link_is_not_followed_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("link", "dangling"):
        with pytest.raises(FileRefused, match="is a link"):
            open_own(tmp_path / name, os.O_RDWR | os.O_CREAT)
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


def test_a_second_name_of_a_file_is_refused_where_it_should_have_one(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "name").hardlink_to(tmp_path / "target")
    with pytest.raises(FileRefused, match="hard link"):
        open_own(tmp_path / "name", os.O_RDWR | os.O_CREAT)
    os.close(open_own(tmp_path / "name", os.O_RDONLY, alone=False))


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_WRONLY])
def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path, flags: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(FileRefused, match="no plain file"):
            open_own(tmp_path / name, flags)


def test_what_is_not_there_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_own(tmp_path / "nothing", os.O_RDONLY)
