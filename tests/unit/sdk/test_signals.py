import signal
import threading

import pytest

from agentic_atlas.sdk.signals import stop_signals
from tests.unit.sdk.memory_wire import SECONDS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_one_ends(number: signal.Signals) -> None:
    told: list[object] = []
    times = iter((100.0, 100.5))
    with stop_signals(lambda: told.append("asked"), told.append, patience=60, clock=lambda: next(times)):
        signal.raise_signal(number)
        assert told == ["asked"]
        signal.raise_signal(number)
    assert told == ["asked", 128 + number]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_signals_within_half_a_second_are_one_and_whoever_then_signals_again_means_it(second: signal.Signals) -> None:
    told: list[object] = []
    times = iter((100.0, 100.02, 100.49, 101.0))
    with stop_signals(lambda: told.append("asked"), told.append, patience=60, clock=lambda: next(times)):
        for _ in range(3):
            signal.raise_signal(second)
        assert told == ["asked"]
        signal.raise_signal(signal.SIGINT)
    assert told == ["asked", 128 + signal.SIGINT]


def test_what_handled_the_signals_before_does_so_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_signals(lambda: None, lambda code: None, patience=60):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_process_that_does_not_end_after_the_first_signal_is_ended() -> None:
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with stop_signals(lambda: None, end, patience=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert ended.wait(SECONDS)
    assert codes == [1]


def test_nothing_is_ended_without_a_signal_or_after_the_block() -> None:
    codes: list[int] = []
    with stop_signals(lambda: None, codes.append, patience=0.01):
        pass
    with stop_signals(lambda: None, codes.append, patience=60):
        signal.raise_signal(signal.SIGTERM)
    assert codes == []


def test_another_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def elsewhere() -> None:
        with stop_signals(lambda: None, lambda code: None, patience=60):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(SECONDS)
    assert seen == [before]
