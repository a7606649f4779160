"""What a person is asked at the terminal; the questions go to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from agentic_atlas.cli import output
from agentic_atlas.cli.visible import one_line
from agentic_atlas.errors import InvalidInput

_LONGEST_LINE = 1_024


def secret(text: str) -> str:
    """Return what is typed, which is not shown.

    Raises:
        click.Abort: nothing is typed any more.
    """
    import getpass

    with _at_prompt():
        return getpass.getpass(f"{one_line(text)}: ", stream=sys.stderr).strip()


def secret_or_line(text: str) -> str:
    """Return what is typed, which is not shown; in a pipe, the next line of stdin.

    Raises:
        click.Abort: nothing is typed any more. InvalidInput: nothing came.
    """
    found = secret(text) if output.terminal(sys.stdin) else sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n")
    if not found:
        raise InvalidInput(f"nothing came from stdin for this: {one_line(text)}")
    return found


def new_password() -> str:
    """Return a password that is typed twice; in a pipe, the next line of stdin. Raises as `secret_or_line`."""
    while True:
        found = secret_or_line("New password")
        if not output.terminal(sys.stdin) or secret("The same again") == found:
            return found
        output.aside("These are not the same: once more.")


def confirm(question: str) -> None:
    """Ask for a yes.

    Raises:
        click.Abort: it is no, or nothing is typed any more. InvalidInput: nobody is there to be asked.
    """
    while True:
        with _at_prompt():
            output.prompt(f"{one_line(question)} [y/N]:")
            line = sys.stdin.readline()
        if not line and not output.terminal(sys.stdin):
            output.aside("")
            raise InvalidInput("nobody is here to say yes: --yes does it without the question")
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
