"""`atlas up` at a person's terminal: their browser is opened, and what it is started with holds no secret."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.processes import PATIENCE, Platform

BROWSER = """#!/bin/sh
[ -t 0 ] && echo at the terminal >> {told}
echo "$@" > {told}
"""
"""A browser that writes down what it is started with."""


@contextmanager
def at_a_terminal(platform: Platform, *arguments: str, piped: bool = False, **environ: str) -> Iterator[None]:
    """Run `atlas up` at a terminal, or with its output elsewhere, until it is up and the block is over."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        (sys.executable, "-m", "agentic_atlas", "up", *arguments),
        cwd=platform.folder,
        env=platform.environ | environ,
        stdin=theirs,
        stdout=subprocess.PIPE if piped else theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        _read_until(ours if process.stdout is None else process.stdout.fileno(), b"Ctrl-C stops.")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        os.close(ours)


def test_the_browser_is_opened_for_a_person_alone_and_at_the_plain_address(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "network")
    url = f"http://127.0.0.1:{platform.environ['ATLAS_HTTP_PORT']}"
    told, program = tmp_path / "told", tmp_path / "browser"
    os.mkfifo(told)
    program.write_text(BROWSER.format(told=told))
    program.chmod(0o700)
    screen = {"BROWSER": str(program), "DISPLAY": ":99", "CI": ""}
    pipe = os.open(told, os.O_RDWR)  # with a reader from the start, a browser that should not be there would be heard
    try:
        with at_a_terminal(platform, "--no-open", **screen):
            pass
        with at_a_terminal(platform, piped=True, **screen):
            pass
        with at_a_terminal(platform, **screen):
            # The first start has a link with a secret: this is all that other programs can read of it.
            assert _read_until(pipe, b"\n") == f"{url}\n".encode()
        assert not select.select([pipe], [], [], 0)[0]
    finally:
        os.close(pipe)


def _read_until(source: int, end: bytes) -> bytes:
    read = b""
    while end not in read:
        assert select.select([source], [], [], PATIENCE)[0], f"nothing more after {read!r}"
        read += os.read(source, 4096)
    return read
