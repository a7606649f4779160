"""Results on disk: what one process leaves, the next one with the same token takes over, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import Fault, Outcome, Result
from agentic_atlas.sdk.spool import folder as spool_folder
from agentic_atlas.sdk.spool.file import (
    MOST_PROCESSES,
    EndedRecord,
    FileSpool,
    ResultRecord,
    SpoolBounds,
    choose,
    decode,
    encode,
    result_record,
    spool_in,
)
from agentic_atlas.sdk.spool.port import Handover, Spool
from tests.unit.sdk.memory_log import MemoryLog
from tests.unit.sdk.spool.test_journal import files_no_longer_than

DAY = 86_400.0
NOW = 1_000 * DAY


def result(name: str = "t1", output: bytes = b'"done"', attempt: int = 1) -> Result:
    return Result(name, attempt, Outcome.COMPLETED, Raw(output))


class Machine:
    """A folder, a clock, and the processes that come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.log = MemoryLog()
        self.started = 0

    def process(self, bounds: SpoolBounds | None = None) -> tuple[FileSpool, Handover]:
        self.started += 1
        spool = FileSpool(self.folder, f"p{self.started}", log=self.log, wall=lambda: self.now, bounds=bounds)
        return spool, spool.open()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "spool" / "tok_1")


def dies(spool: FileSpool) -> None:
    """As the system does it: the locks are gone, the files stay."""
    assert spool._journal is not None
    for journal in (spool._journal, *spool._others):
        journal.close()


def left(handover: Handover) -> list[tuple[str, str]]:
    return [(one.process, one.task) for one in handover.results]


def test_folder_and_file_are_their_owners_alone(machine: Machine) -> None:
    machine.folder.mkdir(parents=True, mode=0o755)
    spool, _ = machine.process()
    assert machine.folder.stat().st_mode & 0o777 == 0o700
    assert (machine.folder / "p1.spool").stat().st_mode & 0o777 == 0o600
    spool.close(running=False)


def test_the_folders_above_are_their_owners_alone_whatever_the_umask(machine: Machine) -> None:
    before = os.umask(0)
    try:
        spool, _ = machine.process()
    finally:
        os.umask(before)
    assert machine.folder.parent.stat().st_mode & 0o777 == 0o700
    spool.close(running=False)


def test_a_result_outlives_its_process_exactly(machine: Machine) -> None:
    spool, _ = machine.process()
    failed = Result("t2", 3, Outcome.FAILED, error=Fault("handler_error", "größer", Raw(b'{"a":1}')))
    spool.keep(result("t1", b' {"as": "it is"} '))
    machine.now += 5
    spool.keep(failed)
    dies(spool)
    machine.now += 10
    spool, handover = machine.process()
    assert [one.result() for one in handover.results] == [result("t1", b' {"as": "it is"} '), failed]
    assert [(one.process, handover.at - one.at) for one in handover.results] == [("p1", 15.0), ("p1", 10.0)]
    assert handover.processes == ("p1",)
    assert machine.files() == ["p2.spool"]
    spool.close(running=False)


def test_an_acknowledged_result_is_gone(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result("t1"))
    spool.keep(result("t2"))
    spool.forget("t1", 1)
    spool.forget("t1", 1)
    dies(spool)
    spool, handover = machine.process()
    assert left(handover) == [("p1", "t2")]
    spool.close(running=False)


def test_an_agent_that_owes_nothing_leaves_nothing(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result())
    spool.forget("t1", 1)
    assert spool.close(running=False) == 0
    assert not machine.folder.exists()


def test_a_process_that_ends_while_skills_run_is_known_to_have_ended(machine: Machine) -> None:
    first, _ = machine.process()
    journal = first._journal
    first.close(running=True)
    second, handover = machine.process()
    assert handover == Handover(), "its handlers may still run"
    second.close(running=False)
    assert journal is not None
    journal.close()
    third, handover = machine.process()
    assert handover == Handover(("p1",))
    third.close(running=False)


def test_what_is_owed_at_the_end_is_kept_for_the_next_start(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result())
    assert spool.close(running=False) == 1
    spool, handover = machine.process()
    assert left(handover) == [("p1", "t1")]
    spool.close(running=False)


def test_ended_processes_are_named_again_until_the_router_knows_of_them(machine: Machine) -> None:
    first, _ = machine.process()
    first.keep(result("t1"))
    dies(first)
    second, _ = machine.process()
    second.keep(result("t2"))
    dies(second)
    third, handover = machine.process()
    assert handover.processes == ("p1", "p2")
    assert left(handover) == [("p1", "t1"), ("p2", "t2")]
    third.settled()
    third.forget("t1", 1)
    dies(third)
    fourth, handover = machine.process()
    assert handover.processes == ("p2", "p3")
    assert left(handover) == [("p2", "t2")]
    fourth.close(running=False)


def test_a_living_process_and_another_token_are_left_alone(machine: Machine) -> None:
    alive, _ = machine.process()
    alive.keep(result("t1"))
    other = FileSpool(machine.folder.parent / "tok_2", "x1", log=machine.log)
    assert other.open() == Handover()
    second, handover = machine.process()
    assert handover == Handover()
    for spool in (second, other):
        spool.close(running=False)
    dies(alive)
    last, handover = machine.process()
    assert left(handover) == [("p1", "t1")]
    last.close(running=False)


def test_of_two_that_start_at_once_one_takes_over(machine: Machine) -> None:
    first, _ = machine.process()
    first.keep(result())
    dies(first)
    second, taken = machine.process()
    third, nothing = machine.process()
    assert (left(taken), nothing) == ([("p1", "t1")], Handover())
    second.close(running=False)
    third.close(running=False)


def test_a_result_that_is_too_old_is_dropped_with_one_line(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result("t1"))
    spool.keep(result("t2"))
    machine.now += 6 * DAY
    spool.keep(result("t3"))
    dies(spool)
    machine.now += 2 * DAY
    spool, handover = machine.process()
    assert left(handover) == [("p1", "t3")]
    assert machine.log.at("warning") == ["results of earlier processes older than 7 days: 2; dropped"]
    assert machine.log.at("info") == ["results of earlier processes: 1; to be delivered"]
    dies(spool)
    spool, handover = machine.process()
    assert (left(handover), len(machine.log.at("warning"))) == ([("p1", "t3")], 1)
    spool.close(running=False)


def test_files_that_are_not_ours_are_left_alone(machine: Machine) -> None:
    machine.folder.mkdir(parents=True)
    for name in ("notes.txt", "two words.spool", ".spool"):
        (machine.folder / name).write_text("mine")
    (machine.folder / "old.draft").write_bytes(b"half")
    spool, handover = machine.process()
    assert handover == Handover()
    assert machine.files() == [".spool", "notes.txt", "p1.spool", "two words.spool"]
    spool.close(running=False)


def test_what_tokens_that_are_not_used_any_more_left_is_deleted_when_it_is_too_old(machine: Machine) -> None:
    others = {}
    for name, age in (("tok_old", 8), ("tok_new", 6), ("tok_alive", 8)):
        others[name] = FileSpool(machine.folder.parent / name, "x1", log=machine.log)
        others[name].open()
        others[name].keep(result())
        os.utime(machine.folder.parent / name / "x1.spool", (NOW - age * DAY, NOW - age * DAY))
    dies(others["tok_old"])
    dies(others["tok_new"])
    spool, handover = machine.process()
    assert handover == Handover(too_old=1)
    assert sorted(path.name for path in machine.folder.parent.iterdir()) == ["tok_1", "tok_alive", "tok_new"]
    assert machine.log.lines == [("warning", "results of earlier processes older than 7 days: 1; dropped")]
    dies(others["tok_alive"])
    spool.close(running=False)


def test_what_others_keep_in_the_same_folder_is_left_as_it_is(machine: Machine) -> None:
    for name in ("mail/old.spool", "tok_2/old.spool", "tok_1/mine.spool"):
        file = machine.folder.parent / name
        file.parent.mkdir(parents=True)
        file.write_text("of another program")
        os.utime(file, (NOW - 9 * DAY, NOW - 9 * DAY))
    spool, _ = machine.process()
    for name in ("mail/old.spool", "tok_2/old.spool"):
        assert (machine.folder.parent / name).read_text() == "of another program"
    spool.close(running=False)


# -- when the disk does not do


def test_a_full_spool_goes_on_in_memory_and_says_so_once_each_way(machine: Machine) -> None:
    spool, _ = machine.process(SpoolBounds(nbytes=300))
    spool.keep(result("t1", b"1" * 200))
    for number in range(2, 5):
        spool.keep(result(f"t{number}", b"1" * 200))
    assert [level for level, _ in machine.log.lines] == ["warning"]
    assert "as soon as the router acknowledges" in machine.log.lines[0][1]
    spool.forget("t3", 1)
    spool.forget("t1", 1)
    assert (machine.folder / "p1.spool").stat().st_size < 300
    spool.forget("t2", 1)
    assert machine.log.lines[1:] == [("info", "results are kept on disk again")]
    dies(spool)
    spool, handover = machine.process()
    assert left(handover) == [("p1", "t4")]
    spool.close(running=False)


def test_a_full_disk_goes_on_in_memory_and_what_waited_is_written_later(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result("t1"))
    with files_no_longer_than((machine.folder / "p1.spool").stat().st_size + 10):
        spool.keep(result("t2"))
        spool.keep(result("t3"))
    [(level, line)] = machine.log.lines
    assert level == "warning"
    assert str(machine.folder) in line
    assert "ATLAS_SPOOL" in line
    spool.keep(result("t4"))
    assert machine.log.lines[1:] == [("info", "results are kept on disk again")]
    dies(spool)
    spool, handover = machine.process()
    assert sorted(left(handover)) == [("p1", f"t{number}") for number in range(1, 5)]
    spool.close(running=False)


def test_a_folder_that_cannot_be_made_is_tried_again(machine: Machine) -> None:
    machine.folder.parent.parent.joinpath("spool").write_text("a file where the folder should be")
    spool, handover = machine.process()
    assert handover == Handover()
    spool.keep(result("t1"))
    assert len(machine.log.lines) == 1
    machine.folder.parent.unlink()
    spool.keep(result("t2"))
    assert machine.log.lines[1:] == [("info", "results are kept on disk again")]
    assert spool.close(running=False) == 2


def test_what_cannot_be_taken_over_for_lack_of_room_stays_where_it_is(machine: Machine) -> None:
    spool, _ = machine.process()
    spool.keep(result("t1", b"1" * 500))
    dies(spool)
    with files_no_longer_than(100):
        spool, handover = machine.process()
    assert left(handover) == [("p1", "t1")]
    assert machine.files() == ["p1.spool", "p2.spool"]
    dies(spool)
    spool, handover = machine.process()
    assert left(handover) == [("p1", "t1")]
    assert set(handover.processes) == {"p1", "p2"}
    spool.close(running=False)


def test_where_a_process_cannot_be_known_to_be_dead_results_stay_in_memory_and_the_reason_is_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_folder, "HAS_LOCKS", False)
    spool, handover = machine.process()
    spool.keep(result())
    spool.forget("t1", 1)
    assert (handover, spool.close(running=False), machine.files()) == (Handover(), 0, [])
    [warning] = machine.log.at("warning")
    assert "flock" in warning
    assert "ATLAS_SPOOL=off" in warning


def test_off_touches_no_disk(tmp_path: Path) -> None:
    spool = spool_in(None, "a.b.c", "p1", MemoryLog())
    assert isinstance(spool, Spool)
    assert spool.open() == Handover()
    spool.keep(result())
    assert spool.close(running=False) == 0
    assert not list(tmp_path.iterdir())


# -- what is written, and what is chosen of it


@pytest.mark.parametrize(
    "message",
    [
        result("t1", b"{not json"),
        result("t1", b"[" * 500),
        Result("t1", 2, Outcome.REJECTED, error=Fault("too_many", "no, thank you")),
        Result("t1", 2, Outcome.CANCELED, error=Fault("canceled", "")),
    ],
)
def test_a_record_holds_a_result_as_it_is(message: Result) -> None:
    record = decode(encode(result_record("p1", 5.0, message)))
    assert isinstance(record, ResultRecord)
    assert (record.process, record.at, record.result()) == ("p1", 5.0, message)


def test_a_message_that_is_no_text_is_kept_as_what_would_be_sent() -> None:
    broken = Result("t1", 1, Outcome.FAILED, error=Fault("handler_error", "half \ud800 a pair"))
    record = decode(encode(result_record("p1", 5.0, broken)))
    assert isinstance(record, ResultRecord)
    assert record.result().error == Fault("handler_error", "half ? a pair")


def test_a_record_of_another_version_is_passed_over() -> None:
    assert decode(b"\x81\xa4type\xa3new") is None
    assert decode(encode(EndedRecord("p1"))) == EndedRecord("p1")


def one(name: str, process: str = "p1", at: float = NOW, output: bytes = b"1") -> ResultRecord:
    return result_record(process, at, result(name, output))


def test_what_is_in_two_files_is_taken_once_from_the_newer_one() -> None:
    newer, older = one("t1", "p1", output=b"2"), one("t1", "p1", output=b"1")
    chosen = choose([("p2", [EndedRecord("p1"), newer]), ("p1", [older])], NOW, SpoolBounds())
    assert (chosen.results, chosen.processes) == ((newer,), ("p1", "p2"))


def test_more_than_the_bounds_is_left_out_and_counted() -> None:
    records = [one(f"t{number}") for number in range(5)]
    assert choose([("p1", records)], NOW, SpoolBounds(results=3)).too_many == 2
    size = len(encode(records[0]))
    chosen = choose([("p1", records)], NOW, SpoolBounds(nbytes=2 * size))
    assert (len(chosen.results), chosen.too_many) == (2, 3)


def test_no_more_processes_are_named_than_a_hello_may_and_those_with_results_come_first() -> None:
    files = [(f"p{number}", [one(f"t{number}", f"p{number}")] if number == 99 else []) for number in range(100)]
    chosen = choose(files, NOW, SpoolBounds())
    assert (len(chosen.processes), chosen.processes[0], chosen.results) == (MOST_PROCESSES, "p99", (one("t99", "p99"),))


def test_a_clock_that_was_put_back_makes_nothing_too_old() -> None:
    assert choose([("p1", [one("t1", at=NOW + 365 * DAY)])], NOW, SpoolBounds()).too_old == 0
