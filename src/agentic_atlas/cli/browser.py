"""The browser of whoever starts a network at their own screen: whether there is one to open, and opening it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from typing import Final

from agentic_atlas.cli import output

_WITH_SCREENS: Final = ("darwin", "win32")
"""Systems whose programs have a screen without being told which."""


def is_at_hand(environ: Mapping[str, str]) -> bool:
    """Tell whether a person is at the terminal of this process, and sees the screen of this machine."""
    return output.terminal() and output.terminal(sys.stdin) and has_screen(environ, sys.platform)


def has_screen(environ: Mapping[str, str], system: str) -> bool:
    """Tell whether what is opened here is seen by whoever started this process."""
    if environ.get("CI"):
        return False
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return True
    return system in _WITH_SCREENS and not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def show(url: str) -> None:
    """Open a page in their browser, and wait for nothing of it.

    Any user of the machine can read what a program is started with: `url` must hold no secret. A browser of its own
    session gets no Ctrl-C that is meant for us, and one that would draw in this terminal has none.
    """
    Thread(target=_start, args=(url,), name="browser", daemon=True).start()


def _start(url: str) -> None:
    nowhere = subprocess.DEVNULL
    with suppress(OSError):  # The address stands above: whoever has no browser does without.
        subprocess.run(
            (sys.executable, "-m", "webbrowser", url),
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            start_new_session=True,
            check=False,
        )
