"""How long reads and writes take, by what they do."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection, Engine, select

from agentic_atlas.backend.store.figures import StoreFigures
from agentic_atlas.backend.store.readers import TimedReaders, WriterReaders
from agentic_atlas.backend.store.tables import network
from agentic_atlas.backend.store.writer import Writer, add_task, named, statement
from agentic_atlas.observe import series
from agentic_atlas.observe.histogram import Histogram
from tests.conformance.store.samples import submitted
from tests.unit.backend.store.test_writer import writing


class Ticks:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def _everything(connection: Connection, more: int = 0) -> None:
    connection.execute(select(network)).all()


class Wants:
    """Asks as a store does."""

    def all(self, readers: TimedReaders) -> object:
        """Read."""
        return readers.run(lambda connection: _everything(connection))


def found(figures: StoreFigures, told: series.Series) -> dict[tuple[str, ...], tuple[int, float]]:
    """Return of each operation how many there were, and their seconds."""
    samples = [one for one in figures.samples() if one.series is told]
    return {one.labels: (len(one.value), one.value.total) for one in samples if isinstance(one.value, Histogram)}


async def test_writes_that_share_a_commit_are_a_group_and_each_is_counted_from_when_it_was_asked_for(
    engine: Engine,
) -> None:
    writer = Writer(engine, clock=Ticks())
    figures = StoreFigures(writer)
    first, second = writer.submit(add_task(submitted(1))), writer.submit(statement(_everything))
    assert next(one.value for one in figures.samples() if one.series is series.STORE_WAITING) == 2
    with writing(writer):
        await first
        await second
    # Asked for at 1 and 2, begun at 3, decided at 4 and on disk at 5; ended at 6.
    assert found(figures, series.STORE_GROUP) == {(): (1, 2)}
    assert found(figures, series.STORE_GROUP_TIME) == {(): (1, 3.0)}
    assert found(figures, series.STORE_COMMIT) == {(): (1, 1.0)}
    assert found(figures, series.STORE_WRITE) == {("tasks.add",): (1, 5.0), ("test_figures.everything",): (1, 4.0)}


async def test_reads_are_counted_by_what_they_do_also_those_that_fail(engine: Engine) -> None:
    writer = Writer(engine)
    figures = StoreFigures(writer)
    readers = TimedReaders(WriterReaders(writer), figures.read, clock=Ticks())

    def broken(connection: Connection) -> None:
        raise LookupError

    with writing(writer):
        await Wants().all(readers)  # type: ignore[misc]
        await readers.run(partial(_everything, more=1))
        with pytest.raises(LookupError):
            await readers.run(broken)
    assert found(figures, series.STORE_READ) == {
        ("test_figures.all",): (1, 1.0),
        ("test_figures.everything",): (1, 1.0),
        ("test_figures.test_reads_are_counted_by_what_they_do_also_those_that_fail",): (1, 1.0),
    }


def test_what_is_done_is_called_by_the_place_where_it_stands() -> None:
    assert named(_everything) == named(partial(_everything, more=2)) == "test_figures.everything"
    assert (
        named(lambda connection: connection) == "test_figures.test_what_is_done_is_called_by_the_place_where_it_stands"
    )
