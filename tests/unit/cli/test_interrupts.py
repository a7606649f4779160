from __future__ import annotations

import os
import signal

import pytest

from agentic_atlas.cli.interrupts import Interrupted, raised


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_a_block_and_the_second_lets_it_end_what_it_started(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    ended = False
    with pytest.raises(Interrupted) as told, raised():
        try:
            os.kill(os.getpid(), number)
            raise AssertionError("the signal is handled before")
        finally:
            os.kill(os.getpid(), number)
            ended = True
    assert (ended, told.value.exit_code, signal.getsignal(number)) == (True, 128 + number, before)


def test_ctrl_c_stays_what_a_prompt_expects() -> None:
    with raised():
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
