from __future__ import annotations

from contextlib import ExitStack

import pytest

from agentic_atlas.backend.engine.watchers import Watchers
from agentic_atlas.errors import Busy


def test_a_watcher_too_many_of_a_task_is_told_when_to_come_back_and_others_are_not_touched() -> None:
    watchers = Watchers(per_task=2, per_key=100)
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(watchers.place("task_1", "key_1"))
        with pytest.raises(Busy) as refused, watchers.place("task_1", "key_2"):
            pass
        assert (refused.value.code, refused.value.retry_after >= 1) == ("too_many_watchers", True)
        places.enter_context(watchers.place("task_2", "key_2"))


def test_a_watcher_too_many_with_one_key_is_refused_whatever_it_watches() -> None:
    watchers = Watchers(per_task=100, per_key=2)
    with ExitStack() as places:
        for number in range(2):
            places.enter_context(watchers.place(f"task_{number}", "key_1"))
        with pytest.raises(Busy), watchers.place("task_9", "key_1"):
            pass
        places.enter_context(watchers.place("task_9", "key_2"))


def test_a_place_is_free_again_and_nothing_is_remembered_of_who_left() -> None:
    watchers = Watchers(per_task=1, per_key=1)
    for number in range(50):
        with watchers.place(f"task_{number}", f"key_{number}"):
            assert len(watchers) == 1
    assert (len(watchers), watchers._of_task, watchers._of_key) == (0, {}, {})
