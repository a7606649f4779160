"""This very machine is read, and what it does not tell is named."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from machine.overview import overview
from machine.reading import read_commands, read_disks, read_machine, read_processes
from machine.snapshot import ProcessFacts, Snapshot


def read() -> Snapshot:
    return read_machine(time.time, time.monotonic)  # noqa: TID251 - the clock handed in


def of(pid: int) -> ProcessFacts:
    return next(facts for facts in read_processes() if facts.pid == pid)


def test_this_machine_tells_of_itself() -> None:
    before, now = read(), read()
    disks, missing = read_disks()
    told = overview(before, now, disks, missing)
    assert told.memory is not None and 0 < told.memory.used_bytes < told.memory.total_bytes
    assert told.cores == os.cpu_count()
    assert told.uptime_seconds is not None and told.uptime_seconds > 0
    assert any(Path.cwd().is_relative_to(disk.path) for disk in told.disks)
    assert all(disk.total_bytes > 0 for disk in told.disks)


def test_what_a_system_does_not_tell_is_named_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", "/proc/stat")

    def absent(*_arguments: object, **_options: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/proc/loadavg")

    monkeypatch.setattr(psutil, "cpu_times", denied)
    monkeypatch.setattr(psutil, "getloadavg", absent)
    monkeypatch.setattr(psutil, "disk_partitions", denied)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    snapshot = read()
    assert (snapshot.cpu, snapshot.load, snapshot.temperatures) == (None, None, ())
    assert snapshot.missing == (
        "load: no such file or directory",
        "cpu: not permitted",
        "temperatures: not available on this system",
    )
    assert snapshot.memory is not None
    disks, _ = read_disks()
    assert [disk.path for disk in disks] == [Path.cwd().anchor], "the root is read even when no disk is listed"


def test_a_disk_that_may_not_be_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: str) -> None:
        raise PermissionError(13, "Permission denied", "/secret")

    monkeypatch.setattr(psutil, "disk_usage", denied)
    disks, missing = read_disks()
    assert disks == []
    assert missing and all(line.startswith("disk ") and line.endswith(": not permitted") for line in missing)


def test_processes_are_read_and_their_commands_only_when_asked() -> None:
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "hello"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        facts = of(child.pid)
        assert facts.memory is not None and facts.memory > 1_000_000
        assert facts.user == psutil.Process().username()
        assert facts.started == pytest.approx(read().taken, abs=60)
        assert read_commands([facts])[child.pid][-1] == "hello"
        other = ProcessFacts(child.pid, facts.started - 5, "", None, None, None)
        assert read_commands([other]) == {}, "a process that had the same number before"
        child.stdin.close()
        child.wait(10)
    assert read_commands([facts]) == {}
