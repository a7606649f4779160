"""A file of records: what is there whole comes back exactly, whenever and wherever the process died."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentic_atlas.sdk.spool.journal import Journal

HEAD = struct.Struct("<BII")
MOST_DEAD = 200
LONGEST_TAIL = 100
payloads = st.binary(min_size=1, max_size=80)


def create(path: Path, most_dead: int = MOST_DEAD) -> Journal:
    journal = Journal.create(path, most_dead=most_dead)
    assert journal is not None
    return journal


def take(path: Path) -> Journal:
    journal = Journal.take(path, most_dead=MOST_DEAD)
    assert journal is not None
    return journal


def contents(journal: Journal) -> list[bytes]:
    return [data for _, data in journal.records()]


def ends_of_living(data: bytes) -> list[int]:
    """Return where each living record of an undamaged file ends."""
    ends, offset = [], 0
    while offset < len(data):
        alive, length, _ = HEAD.unpack_from(data, offset)
        offset += HEAD.size + length
        if alive:
            ends.append(offset)
    return ends


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Have the system refuse whatever would make a file longer, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Model(RuleBasedStateMachine):
    """Records come and go, and the process dies in between: the file is cut at any byte, or has a torn tail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "one.spool"
        self.journal = create(self.path)
        self.records: dict[int, bytes] = {}
        self.peak = self.longest = self.torn = 0

    @rule(payload=payloads)
    def appends(self, payload: bytes) -> None:
        number = self.journal.append(payload)
        self.torn = 0
        assert number not in self.records
        self.records[number] = payload
        self.longest = max(self.longest, HEAD.size + len(payload))

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def removes(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.records)))
        self.journal.remove(number)
        del self.records[number]
        self.journal.remove(number)

    @rule(data=st.data())
    def dies_at_any_byte(self, data: st.DataObject) -> None:
        self.journal.close()
        there = self.path.read_bytes()
        cut = data.draw(st.integers(0, len(there)))
        whole = sum(end <= cut for end in ends_of_living(there[: self.journal.size]))
        self.path.write_bytes(there[:cut])
        self.again(list(self.records.values())[:whole])

    @rule(torn=st.binary(max_size=LONGEST_TAIL))
    def dies_while_writing(self, torn: bytes) -> None:
        self.journal.close()
        self.path.write_bytes(self.path.read_bytes()[: self.journal.size] + torn)
        self.again(list(self.records.values()))

    def again(self, expected: list[bytes]) -> None:
        self.torn += LONGEST_TAIL
        self.journal = take(self.path)
        assert contents(self.journal) == expected
        self.records = dict(self.journal.records())

    @invariant()
    def every_record_is_there_once(self) -> None:
        assert dict(self.journal.records()) == self.records

    @invariant()
    def the_file_is_bounded(self) -> None:
        self.peak = max(self.peak, self.journal.living)
        assert self.journal.size <= 2 * self.peak + MOST_DEAD + self.longest
        assert self.path.stat().st_size - self.journal.size <= self.torn
        assert self.records or self.journal.size == 0 or self.journal.living == 0
        assert [path.name for path in self.path.parent.iterdir()] == [self.path.name]

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_file_without_records_is_empty(tmp_path: Path) -> None:
    journal = create(tmp_path / "one.spool")
    numbers = [journal.append(b"first"), journal.append(b"second")]
    for number in numbers:
        journal.remove(number)
    assert (tmp_path / "one.spool").stat().st_size == 0
    journal.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    create(tmp_path / "one.spool").close()
    assert (tmp_path / "one.spool").stat().st_mode & 0o777 == 0o600


def test_the_file_of_a_process_that_lives_is_not_taken(tmp_path: Path) -> None:
    journal = create(tmp_path / "one.spool")
    assert Journal.take(tmp_path / "one.spool") is None
    journal.close()
    take(tmp_path / "one.spool").close()


def test_a_file_written_anew_is_still_locked(tmp_path: Path) -> None:
    journal = create(tmp_path / "one.spool", most_dead=0)
    journal.append(b"kept")
    journal.remove(journal.append(b"x" * 50))
    size = journal.size
    journal.append(b"y")
    assert journal.size < size
    assert contents(journal) == [b"kept", b"y"]
    assert Journal.take(tmp_path / "one.spool") is None
    journal.close()


@pytest.mark.parametrize("damage", [b"\0" * 40, b"\1\5\0\0\0", HEAD.pack(1, 5, 0) + b"abcde", HEAD.pack(1, 2**31, 7)])
def test_what_is_not_a_whole_record_is_cut_off(tmp_path: Path, damage: bytes) -> None:
    journal = create(tmp_path / "one.spool")
    journal.append(b"whole")
    size = journal.size
    journal.close()
    with (tmp_path / "one.spool").open("ab") as file:
        file.write(damage)
    journal = take(tmp_path / "one.spool")
    assert contents(journal) == [b"whole"]
    journal.append(b"more")
    journal.close()
    journal = take(tmp_path / "one.spool")
    assert contents(journal) == [b"whole", b"more"]
    assert (tmp_path / "one.spool").stat().st_size == journal.size == size + HEAD.size + len(b"more")
    journal.close()


def test_a_record_that_claims_to_be_longer_than_its_file_is_not_read_for(tmp_path: Path) -> None:
    path = tmp_path / "1.spool"
    journal = create(path)
    journal.append(b"whole")
    journal.close()
    with path.open("ab") as file:
        file.write(HEAD.pack(1, 2**32 - 1, 0) + b"not four gigabytes")
    taken = take(path)
    assert contents(taken) == [b"whole"]
    taken.close()


def test_what_is_no_file_is_left_alone_and_waits_for_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "1.spool"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no file"):
        Journal.take(pipe)


def test_a_write_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    journal = create(tmp_path / "one.spool")
    first = journal.append(b"first")
    with files_no_longer_than(journal.size + 20), pytest.raises(OSError, match="too large"):
        journal.append(b"x" * 100)
    journal.append(b"second")
    assert (tmp_path / "one.spool").stat().st_size == journal.size
    assert contents(journal) == [b"first", b"second"]
    with files_no_longer_than(journal.size):
        journal.remove(first)
    journal.close()
    journal = take(tmp_path / "one.spool")
    assert contents(journal) == [b"second"]
    journal.close()


def test_without_room_for_a_second_file_it_goes_on_in_the_old_one(tmp_path: Path) -> None:
    journal = create(tmp_path / "one.spool", most_dead=0)
    journal.append(b"kept")
    journal.remove(journal.append(b"x" * 500))
    (tmp_path / "one.draft").mkdir()
    journal.append(b"more")
    assert contents(journal) == [b"kept", b"more"]
    journal.close()
