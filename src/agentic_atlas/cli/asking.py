"""What a person is asked at the terminal; the questions go to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from agentic_atlas.cli import output
from agentic_atlas.cli.visible import one_line


def secret(text: str) -> str:
    """Return what is typed, which is not shown.

    Raises:
        click.Abort: nothing is typed any more.
    """
    import getpass

    with _at_prompt():
        return getpass.getpass(f"{one_line(text)}: ", stream=sys.stderr).strip()


def confirm(question: str) -> None:
    """Ask for a yes.

    Raises:
        click.Abort: it is no, or nothing is typed any more.
    """
    while True:
        with _at_prompt():
            output.prompt(f"{one_line(question)} [y/N]:")
            line = sys.stdin.readline()
        said = line.strip().lower()
        if not line or said in ("", "n", "no"):
            raise click.Abort
        if said in ("y", "yes"):
            return


@contextmanager
def _at_prompt() -> Iterator[None]:
    """See that what follows an interrupted prompt does not stand behind it."""
    try:
        yield
    except EOFError:
        output.aside("")
        raise click.Abort from None
    except KeyboardInterrupt:
        output.aside("")
        raise
