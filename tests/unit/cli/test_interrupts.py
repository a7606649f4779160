from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from agentic_atlas.cli import connection
from agentic_atlas.cli.interrupts import Interrupted, raised


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_a_block_and_the_second_lets_it_end_what_it_started(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    ended = False
    with pytest.raises(Interrupted) as told, raised():
        try:
            signal.raise_signal(number)
            raise AssertionError("the signal is handled before")
        finally:
            signal.raise_signal(number)
            ended = True
    assert (ended, told.value.exit_code, signal.getsignal(number)) == (True, 128 + number, before)


def test_ctrl_c_stays_what_a_prompt_expects() -> None:
    with raised():
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_another_thread_gets_ends_a_command_that_waits_for_nothing_else() -> None:
    waiting = threading.Event()

    async def work() -> None:
        asyncio.get_running_loop().call_soon(waiting.set)
        await asyncio.get_running_loop().create_future()

    def send() -> None:
        assert waiting.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)
        gone.wait(10)

    gone = threading.Event()
    other = threading.Thread(target=send)
    other.start()
    began = time.monotonic()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with pytest.raises(Interrupted) as told:
            connection.run(work(), timeout=30)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        gone.set()
        other.join(10)
    assert told.value.exit_code == 143
    assert time.monotonic() - began < 20, "it was the signal that ended it"
