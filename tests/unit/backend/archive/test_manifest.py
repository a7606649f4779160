from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.backend.archive.manifest import MOST_MEMBERS, backup_name, check_name, made_at, read_manifest
from agentic_atlas.errors import ConfigurationError
from tests.unit.backend.archive.samples import FILES, manifest, members

RIGHT = manifest(members(FILES))


def test_a_manifest_reads_as_it_was_written() -> None:
    assert read_manifest(RIGHT.encoded()) == RIGHT


def test_a_later_format_is_refused_with_the_version_to_install_whatever_else_it_says() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_manifest(b'{"format": 2, "version": "3.1.0", "members": "in another way"}')
    assert refused.value.code == "backup_newer"
    assert "made by Agentic Atlas 3.1.0" in refused.value.message
    assert "install that version or a later one" in refused.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"version": "0.1.0"}',
        b"[" * 10_000,
        b'{"format": 0}',
        b'{"format": -1}',
        RIGHT.encoded().replace(b'"format": 1', b'"format": -1'),
        msgspec.json.encode(msgspec.structs.replace(RIGHT, network="net_x\nRestored")),
        msgspec.json.encode(msgspec.structs.replace(RIGHT, version="x" * 65)),
        msgspec.json.encode(msgspec.structs.replace(RIGHT, made_at=RIGHT.made_at.replace(tzinfo=None))),
        msgspec.json.encode(manifest((msgspec.structs.replace(RIGHT.members[0], size=-1), *RIGHT.members[1:]))),
        msgspec.json.encode(manifest((msgspec.structs.replace(RIGHT.members[0], sha256="x"), *RIGHT.members[1:]))),
        msgspec.json.encode(manifest(())),
        msgspec.json.encode(manifest(members({"atlas.sqlite3": b""}))),
        msgspec.json.encode(manifest(members(FILES) * 2)),
    ],
)
def test_what_is_no_manifest_of_a_whole_backup_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_manifest(data)
    assert refused.value.code == "backup_damaged"


@pytest.mark.parametrize("name", ["atlas.sqlite3", "manifest.json", "keys/ring.json", "keys/a-_B0.pem"])
def test_the_names_that_a_backup_has_are_taken_once(name: str) -> None:
    check_name(name, [])
    with pytest.raises(ConfigurationError):
        check_name(name, [name])


@pytest.mark.parametrize(
    "name",
    [
        "../atlas.sqlite3",
        "/etc/passwd",
        "keys/../atlas.sqlite3",
        "keys/..",
        "keys/.",
        "keys/",
        "keys",
        "keys/a/b",
        "keys/a\nb",
        "keys/.hidden",
        "./atlas.sqlite3",
        "atlas.sqlite3-wal",
        "",
        "keys/" + "x" * 200,
    ],
)
def test_every_other_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_name(name, [])
    assert refused.value.code == "backup_damaged"


def test_there_is_an_end_to_the_number_of_members() -> None:
    with pytest.raises(ConfigurationError, match="too many"):
        check_name("keys/x", [f"keys/{number}" for number in range(MOST_MEMBERS)])


@given(st.floats(0, 4_000_000_000).map(lambda at: round(at, 3)))
def test_the_name_of_a_backup_tells_when_it_was_made(at: float) -> None:
    assert made_at(backup_name(at)) == pytest.approx(at, abs=0.002)


def test_names_sort_by_time() -> None:
    assert backup_name(1_700_000_000.0) == "atlas-20231114T221320.000Z.tar"
    assert backup_name(1_700_000_000.0) < backup_name(1_700_000_000.001) < backup_name(1_800_000_000.0)


@pytest.mark.parametrize("name", ["my.tar", "atlas-20231314T221320.000Z.tar", "atlas-20231114T221320.000Z.tar.gz", ""])
def test_other_files_are_no_backups_of_ours(name: str) -> None:
    assert made_at(name) is None
