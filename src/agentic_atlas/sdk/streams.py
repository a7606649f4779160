"""The standard streams, which a program may not have: under `pythonw.exe`, frozen, or started with them closed."""

import contextlib
import os
import sys

_STANDARD = (0, 1, 2)


def open_missing() -> None:
    """Open the standard descriptors that are closed, to the null device.

    Else the next file or socket gets such a number, and whatever is printed goes there; an event loop that gets one for
    itself ends the process.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is the one that is given, and those below are in use.
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def complain(text: str) -> None:
    """Write a line to standard error; when there is none, there is nobody to read it."""
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
