"""A kill between any two steps, then the next start: the folder holds the old or the new, never a mix."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, product
from pathlib import Path

import pytest

from agentic_atlas.backend.archive import placing
from agentic_atlas.errors import ConfigurationError

OLD = {"atlas.sqlite3": "old", "atlas.sqlite3-wal": "old", "atlas.sqlite3-shm": "old", "keys/ring.json": "old"}
NEW = {"atlas.sqlite3": "new", "keys/ring.json": "new"}
STEPS = 9
"""Changes of names that a restore over old data takes after it is decided, at least."""
CHANGING = ("rename", "mkdir", "rmdir", "unlink")


class Killed(BaseException):
    """The process is gone."""


def data(folder: Path, files: dict[str, str] = OLD) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def held(folder: Path) -> dict[str, str]:
    """Return what a server would find."""
    names = [*OLD, *NEW]
    return {name: (folder / name).read_text() for name in names if (folder / name).exists()}


def restore(folder: Path) -> Path | None:
    data(placing.stage(folder), NEW)
    placing.decide(folder, "T")
    return placing.finish(folder)


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One number: how many changes of names are made before the process is gone."""
    left = [1_000]

    def counted(real):
        def change(path: Path, *arguments: object, **options: object) -> object:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(path, *arguments, **options)

        return change

    for name in CHANGING:
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))
    return left


def test_the_new_takes_the_place_of_the_old_which_is_kept(tmp_path: Path) -> None:
    folder = data(tmp_path / "data")
    aside = restore(folder)
    assert aside == folder / "before-restore-T"
    assert held(folder) == NEW
    assert held(aside) == OLD
    assert {entry.name for entry in folder.iterdir()} == {"atlas.sqlite3", "keys", "before-restore-T"}


def test_an_empty_folder_is_filled_and_nothing_is_moved_aside(tmp_path: Path) -> None:
    assert restore(tmp_path) is None
    assert held(tmp_path) == NEW


def test_what_else_is_in_the_folder_stays(tmp_path: Path) -> None:
    data(tmp_path, {"backups/one.tar": "kept", "atlas.sqlite3.lock": "1"})
    restore(tmp_path)
    assert (tmp_path / "backups" / "one.tar").read_text() == "kept"
    assert (tmp_path / "atlas.sqlite3.lock").exists()


def test_two_restores_at_one_time_keep_two_old_ones(tmp_path: Path) -> None:
    data(tmp_path)
    first, second = restore(tmp_path), restore(tmp_path)
    assert first is not None
    assert second is not None
    assert first != second
    assert held(first) == OLD
    assert held(second) == NEW


def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, killing: list[int]) -> None:
    outcomes = []
    for steps in count():
        folder = data(tmp_path / str(steps))
        killing[0] = steps
        try:
            restore(folder)
            break
        except Killed:
            decided = any(entry.name.startswith(".restored-") for entry in folder.iterdir())
            killing[0] = 1_000
            placing.finish(folder)
            assert not placing.unfinished(folder)
            outcomes.append("new" if held(folder) == NEW else "old")
            assert held(folder) in (OLD, NEW)
            assert held(folder) == NEW or not decided
            if held(folder) == NEW:
                assert held(folder / "before-restore-T") == OLD
    assert {"old", "new"} == set(outcomes)
    assert sorted(outcomes, reverse=True) == outcomes, "once it is decided it stays so"


def test_a_kill_while_a_kill_is_being_repaired_is_repaired_too(tmp_path: Path, killing: list[int]) -> None:
    kills = 0
    for first, second in product(range(STEPS), (1, 3, 5)):
        folder = data(tmp_path / f"{first}-{second}")
        data(placing.stage(folder), NEW)
        placing.decide(folder, "T")
        for steps in (first, second):
            killing[0] = steps
            try:
                placing.finish(folder)
            except Killed:
                kills += 1
        killing[0] = 1_000
        placing.finish(folder)
        assert held(folder) == NEW
        assert held(folder / "before-restore-T") == OLD
    assert kills > STEPS


def test_what_was_only_staged_is_removed(tmp_path: Path) -> None:
    data(tmp_path)
    data(placing.stage(tmp_path), {"atlas.sqlite3": "half"})
    assert placing.unfinished(tmp_path)
    assert placing.finish(tmp_path) is None
    assert held(tmp_path) == OLD
    assert not placing.unfinished(tmp_path)


def test_a_file_that_cant_be_moved_is_named_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data(tmp_path)
    data(placing.stage(tmp_path), NEW)
    placing.decide(tmp_path, "T")

    def denied(path: Path, _target: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", denied)
        with pytest.raises(ConfigurationError, match=r"atlas\.sqlite3-wal: Permission denied"):
            placing.finish(tmp_path)
    placing.finish(tmp_path)
    assert held(tmp_path) == NEW
