from __future__ import annotations

import asyncio

from agentic_atlas.compose.unsent import Unsent


class Reader(asyncio.Transport):
    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.cut = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.cut = True


def test_who_reads_nothing_is_cut_in_time_and_who_reads_slowly_is_not() -> None:
    behind = Unsent(within=30.0)
    still, slow = Reader(1_000), Reader(1_000)
    for reader in (still, slow):
        behind.falls_behind(reader, 0.0)
    for second in range(0, 35, 5):
        slow.waiting -= 1
        behind.sweep(float(second))
    assert (still.cut, slow.cut) == (True, False)
    assert behind.behind == 1


def test_who_has_caught_up_is_looked_at_no_more() -> None:
    behind = Unsent(within=30.0)
    reader = Reader(1_000)
    behind.falls_behind(reader, 0.0)
    behind.caught_up(reader)
    behind.caught_up(reader)
    behind.sweep(100.0)
    assert (reader.cut, behind.behind) == (False, 0)


def test_all_that_waits_is_bounded_at_any_moment_and_who_has_been_behind_for_longest_is_cut_first() -> None:
    behind = Unsent(within=30.0, most_bytes=2_500)
    readers = [Reader(1_000) for _ in range(4)]
    for second, reader in enumerate(readers):
        behind.falls_behind(reader, float(second))
        assert sum(one.waiting for one in readers[: second + 1] if not one.cut) <= 2_500
    assert [reader.cut for reader in readers] == [True, True, False, False]
    readers[2].waiting = 2_000
    behind.sweep(4.0)
    assert [reader.cut for reader in readers] == [True, True, True, False]
    behind.caught_up(readers[3])
    assert (behind.behind, behind._bytes) == (0, 0)
