"""The one place that prints. Answers go to stdout, everything said beside them to stderr.

What comes from agents is untrusted, wherever it is printed: to a terminal, into a pipe or a file. Nothing of it obeys
a terminal or is unseen (`visible`), and none of it can look like a line of ours: a text is one line, or its further
lines are indented. Only the output of a task, and JSON, are passed on as they are, for programs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from agentic_atlas.cli.columns import fitted, padded, wide
from agentic_atlas.cli.visible import escaped, indented, one_line, visible

GAP = "  "
_YELLOW = 33
NARROWEST = 40
"""Columns that a table takes at least; in a window that is narrower its lines are broken."""


def terminal(stream: TextIO | None = None) -> bool:
    """Tell whether a person reads this stream (stdout by default)."""
    stream = sys.stdout if stream is None else stream
    # None: whoever started this process closed it.
    return stream is not None and stream.isatty()


def width() -> int:
    """Return how many columns a line may have; 80 when nobody looks."""
    import shutil

    return max(NARROWEST, shutil.get_terminal_size((80, 24)).columns) if terminal() else 80


def say(text: str) -> None:
    """Print a line to stdout; further lines of the text are indented."""
    _print(indented(text, GAP) + "\n")


def line(before: str, word: str, colour: int | None, text: str) -> None:
    """Print a line with a word that has a colour, of a terminal's numbers, where a person reads it who wants colours.

    Further lines of the text are indented.
    """
    shown = _coloured(one_line(word).ljust(len(word)), colour) if colour is not None else word
    _print(f"{one_line(before).ljust(len(before))}{shown}{indented(text, GAP)}\n")


def aside(text: str) -> None:
    """Print a line to stderr: hints, progress, errors."""
    _beside(indented(text, GAP) + "\n")


def prompt(text: str) -> None:
    """Print to stderr what a person is to type after."""
    _beside(f"{one_line(text)} ")


def page(text: str, *, beside: bool = False) -> None:
    """Print a text that stands by itself, on as many lines as it has; `beside` the answers, on stderr."""
    (_beside if beside else _print)(visible(text) + "\n")


def result(text: str, *, whole: bool = True) -> None:
    """Print what a task returned, or a piece of it: to a person without what is unseen, else exactly.

    A whole one ends with a line break, in a pipe too, as lines of text do: one is added where there is none.
    """
    end = "\n" if whole and not text.endswith("\n") else ""
    _print((visible(text) if terminal() else text) + end)


def document(value: object) -> None:
    """Print one JSON document to stdout: one line for programs, indented on a terminal."""
    _print(as_json(value, indent=2 if terminal() else -1) + "\n")


def record(value: object) -> None:
    """Print one of many JSON documents to stdout, on a line of its own."""
    _print(as_json(value) + "\n")


def as_json(value: object, *, indent: int = -1) -> str:
    """Write a value as JSON without anything unseen; an indent below zero keeps it on one line."""
    import msgspec

    text = msgspec.json.encode(value)
    return escaped((msgspec.json.format(text, indent=indent) if indent >= 0 else text).decode())


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    shrinks: Sequence[str] = (),
    drops: Sequence[str] = (),
    warned: Collection[int] = (),
) -> None:
    """Print rows under their headings, a line each; those at the places `warned` in the colour of a warning.

    On a terminal the columns in `shrinks` give way, the widest of them first, until a line fits; where that is not
    enough, those in `drops` are left out one by one.
    """
    cells = {name: [name.upper(), *(one_line(row[place]) for row in rows)] for place, name in enumerate(columns)}
    widths = {name: max(map(wide, column)) for name, column in cells.items()}
    if terminal():
        widths = fitted(widths, shrinks, drops, width(), len(GAP))
    shown = [[padded(value, widths[name]) for value in cells[name]] for name in widths]
    for place, line in enumerate(zip(*shown, strict=True), -1):
        text = GAP.join(line).rstrip()
        _print((warning(text) if place in warned else text) + "\n")


def warning(text: str) -> str:
    """Return a text in the colour of a warning, where a person reads it who wants colours (no-color.org)."""
    return _coloured(text, _YELLOW)


def _coloured(text: str, colour: int) -> str:
    from agentic_atlas.sdk.environment import variables

    return f"\x1b[{colour}m{text}\x1b[0m" if terminal() and not variables().get("NO_COLOR") else text


def fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, without those that have no value; a value's further lines are below."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0) + len(GAP)
    for name, value in shown:
        _print(f"{name.ljust(width)}{indented(value, ' ' * width)}\n")


@contextmanager
def progress(text: str) -> Iterator[Callable[[str | None], None]]:
    """Show on a terminal that something is going on; give a function that changes the text. Elsewhere do nothing.

    None takes the text away until there is another one.
    """
    if not terminal(sys.stderr):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(one_line(text))) as status:

        def show(new: str | None) -> None:
            if new is None:
                status.stop()
            else:
                status.update(Text(one_line(new)))
                status.start()

        yield show


def _print(text: str) -> None:
    _write(sys.stdout, text)


def _beside(text: str) -> None:
    try:
        _write(sys.stderr, text)
    except OSError:
        pass  # Nobody reads what is said beside the answer, which is no reason not to give it.


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    # A terminal's encoding may lack a character of the answer: it is shown escaped instead of failing.
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # Where a shell has led it has no name here.
        raise OSError(error.errno, error.strerror, "what was printed can't be written") from None
