"""A look at this very process and machine, and at what children a `/proc` tells of."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from agentic_atlas.sdk.resources.cgroup import ControlGroups
from agentic_atlas.sdk.resources.measuring import Descendant, Gpus
from agentic_atlas.sdk.resources.sampling import MOST_CHILDREN, Sampler, gpus, listed_children


def test_a_look_sees_what_psutil_sees() -> None:
    sampler = Sampler(time.monotonic)
    with Path(__file__).open("rb"):
        one = sampler()
    two = sampler()
    assert one.at <= two.at
    assert 0.0 < one.cpu <= two.cpu
    assert one.memory == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert two.open_files < one.open_files
    assert one.threads >= 1
    assert 1.0 <= one.cores <= one.machine_cores
    assert one.busy <= two.busy
    assert 0 < one.memory_used < one.memory_total
    assert 0 < one.disk_used <= one.disk_total


def test_a_child_and_its_child_are_seen_until_they_end() -> None:
    sampler = Sampler(time.monotonic)
    nested = "import subprocess,sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        seen = sampler().children
        assert child.pid in seen
        assert len(seen) >= 2
        assert min(one.memory for one in seen.values()) > 1_000_000
        child.stdin.close()
    assert child.pid not in sampler().children


def test_children_are_read_from_a_tree_of_processes_each_once(tmp_path: Path) -> None:
    def process(pid: int, children: str, name: str = "x", utime: int = 100, pages: int = 3) -> None:
        (tmp_path / f"{pid}/task/{pid}").mkdir(parents=True)
        (tmp_path / f"{pid}/task/{pid}/children").write_text(children)
        fields = ["S", *["0"] * 10, str(utime), "100", *["0"] * 8, str(pages), "0"]
        (tmp_path / f"{pid}/stat").write_text(f"{pid} ({name}) {' '.join(fields)}")

    process(1, "2 3 ")
    process(2, "4 1 ", name="a) b (c")
    process(3, "")
    (tmp_path / "3/stat").write_text("broken")
    process(4, "99 ")
    found = dict(listed_children(tmp_path, 1))
    assert set(found) == {2, 4}, "3 can't be read, 99 has ended, 1 is whose children they are"
    assert found[2].memory % 3 == 0
    assert found[2] == found[4] == Descendant(found[2].cpu, found[2].memory)
    assert list(listed_children(tmp_path, 77)) == []


def test_so_many_children_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "1/task/1").mkdir(parents=True)
    (tmp_path / "1/task/1/children").write_text(" ".join(map(str, range(2, 2_000))))
    stat = f"7 (x) {' '.join(['0'] * 40)}"
    for pid in range(2, 400):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(stat)
    assert len(dict(listed_children(tmp_path, 1))) == MOST_CHILDREN


def test_without_its_list_children_are_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = Sampler(time.monotonic)
    monkeypatch.setattr(sampler, "_listed", False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in sampler().children


def test_gpus_are_told_of_all_together_and_not_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    busy = [12, 80]

    def used(place: int) -> SimpleNamespace:
        if place >= len(busy):
            raise NVMLError
        return SimpleNamespace(gpu=busy[place], used=1_000, total=4_000)

    driver = SimpleNamespace(
        __spec__=SimpleNamespace(),
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetUtilizationRates=used,
        nvmlDeviceGetMemoryInfo=used,
    )
    monkeypatch.setitem(sys.modules, "a_driver", driver)  # type: ignore[arg-type]  # no module, and used as one
    look = gpus("a_driver")
    assert look() == Gpus(80.0, 2_000, 8_000)
    busy.clear()
    assert look() is None, "the driver was taken away"
    driver.nvmlInit = lambda: used(9)
    assert gpus("a_driver")() is None
    assert gpus("no_such_driver_here")() is None


@pytest.mark.parametrize(
    ("said", "charge"),
    [
        (SimpleNamespace(percent=55, power_plugged=False), (55, True)),
        (SimpleNamespace(percent=140, power_plugged=True), (100.0, False)),
        (SimpleNamespace(percent=20, power_plugged=None), (20, False)),
        (None, (None, False)),
    ],
)
def test_the_battery_is_told_of_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, said: object, charge: tuple[float | None, bool]
) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: said, raising=False)
    one = Sampler(time.monotonic)()
    assert (one.battery, one.on_battery) == charge


def test_a_battery_that_cant_be_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("no such device")

    monkeypatch.setattr(psutil, "sensors_battery", broken, raising=False)
    assert Sampler(time.monotonic)().battery is None


def test_the_groups_of_this_process_are_those_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / "memory.max").write_text("12345")
    (tmp_path / "memory.current").write_text("345")
    container = Sampler(time.monotonic, ControlGroups(tmp_path, tmp_path / "none"))().container
    assert (container.memory_total, container.memory_used) == (12_345, 345)
