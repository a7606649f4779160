from __future__ import annotations

import hashlib
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic_atlas.backend.archive.manifest import LONGEST_MANIFEST
from agentic_atlas.backend.archive.tarball import Sink, read, unpack
from agentic_atlas.errors import ConfigurationError
from tests.unit.backend.archive.samples import FILES, add, backup, manifest, members, odd

ODD: dict[str, Callable[[tarfile.TarFile], None]] = {
    "a name that leaves the folder": lambda tar: add(tar, "../evil", b"x"),
    "an absolute name": lambda tar: add(tar, "/tmp/evil", b"x"),
    "a file that no backup has": lambda tar: add(tar, "extra", b"x"),
    "a key file that the manifest does not name": lambda tar: add(tar, "keys/extra.pem", b"x"),
    "a member twice": lambda tar: add(tar, "atlas.sqlite3", FILES["atlas.sqlite3"]),
    "a symbolic link": lambda tar: add(tar, "keys/link.pem", kind=tarfile.SYMTYPE, to="/etc/passwd"),
    "a hard link": lambda tar: add(tar, "keys/link.pem", kind=tarfile.LNKTYPE, to="/etc/passwd"),
    "a device": lambda tar: add(tar, "keys/dev.pem", kind=tarfile.CHRTYPE),
    "a pipe": lambda tar: add(tar, "keys/pipe.pem", kind=tarfile.FIFOTYPE),
    "a folder": lambda tar: add(tar, "keys/dir.pem", kind=tarfile.DIRTYPE),
    "a sparse file": lambda tar: add(tar, "keys/sparse.pem", kind=tarfile.GNUTYPE_SPARSE),
}


def refused(path: Path, folder: Path) -> str:
    """Return why a file is not unpacked; nothing outside of the folder is there then."""
    folder.mkdir()
    with pytest.raises(ConfigurationError) as error:
        unpack(path, folder)
    assert error.value.code == "backup_damaged"
    assert {entry.name for entry in path.parent.iterdir()} <= {path.name, folder.name}
    return error.value.message


def test_a_backup_unpacks_to_what_was_put_in_for_its_owner_alone(tmp_path: Path) -> None:
    path, folder = backup(tmp_path / "a.tar"), tmp_path / "new"
    folder.mkdir()
    said = unpack(path, folder)
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found == FILES
    assert said == read(path) == manifest(members(FILES))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in FILES} == {0o600}
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700


def test_any_tar_can_open_it(tmp_path: Path) -> None:
    with tarfile.open(backup(tmp_path / "a.tar")) as tar:
        assert tar.getnames() == [*FILES, "manifest.json"]


def test_a_file_sums_what_is_written_to_it(tmp_path: Path) -> None:
    told: list[int] = []
    with Sink(tmp_path / "a", told.append) as sink:
        for piece in (b"one", b"two"):
            sink.write(piece)
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    assert (sink.size, sink.sha256, told) == (6, hashlib.sha256(b"onetwo").hexdigest(), [3, 3])


def test_a_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        Sink(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("what", ODD)
def test_an_odd_member_is_refused(tmp_path: Path, what: str) -> None:
    refused(odd(tmp_path / "a.tar", ODD[what]), tmp_path / "new")


def test_a_member_that_the_manifest_names_and_is_not_there_is_missed(tmp_path: Path) -> None:
    said = manifest(members(FILES | {"keys/more.pem": b"x"}))
    assert "keys/more.pem" in refused(odd(tmp_path / "a.tar", lambda tar: None, said), tmp_path / "new")


def test_a_manifest_of_any_length_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:") as tar:
        add(tar, "manifest.json", b" " * (LONGEST_MANIFEST + 1))
    assert "longer than" in refused(path, tmp_path / "new")


def test_a_backup_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """Its manifest is the last of it; behind that there is nothing but the padding of a tar."""
    whole = backup(tmp_path / "whole.tar").read_bytes()
    end = whole.rindex(b"}") + 1
    for length in [0, 1, 511, 512, 513, *range(1_024, end, 701), end - 1]:
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(ConfigurationError) as error:
            read(tmp_path / "cut.tar")
        assert error.value.code == "backup_damaged", length


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = backup(tmp_path / "a.tar")
    data = bytearray(path.read_bytes())
    data[data.index(b"pages") + 2_000] ^= 1
    path.write_bytes(data)
    assert "'atlas.sqlite3' is not what was written" in refused(path, tmp_path / "new")


@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_a_compressed_file_is_not_unpacked(tmp_path: Path, mode: str) -> None:
    with tarfile.open(tmp_path / "a.tar", mode) as tar:
        add(tar, "atlas.sqlite3", bytes(100_000))
    refused(tmp_path / "a.tar", tmp_path / "new")


def test_what_is_told_of_a_piece_can_end_the_writing(tmp_path: Path) -> None:
    def enough(_size: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError), Sink(tmp_path / "a", enough) as sink:
        sink.write(b"x")


def test_a_header_that_only_the_tar_reader_understands_is_one_plain_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("atlas.sqlite3")
        info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "no,numbers"}
        tar.addfile(info)
    assert refused(tmp_path / "a.tar", tmp_path / "new")
