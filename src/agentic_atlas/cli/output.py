"""The one place that prints. Answers go to stdout, everything said beside them to stderr.

What comes from agents is untrusted: control characters never reach a terminal, for they could rewrite what is on it.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, and what turns the direction of text round."""
_GAP = "  "


def terminal(stream: TextIO | None = None) -> bool:
    """Tell whether a person reads this stream (stdout by default)."""
    return (stream or sys.stdout).isatty()


def say(text: str, *, end: str = "\n") -> None:
    """Print text to stdout: unchanged into a pipe or file, cleaned on a terminal."""
    _write(sys.stdout, (clean(text) if terminal() else text) + end)


def aside(text: str) -> None:
    """Print a line to stderr: hints, progress, errors."""
    _write(sys.stderr, clean(text) + "\n")


def prompt(text: str) -> None:
    """Print to stderr what a person is to type after."""
    _write(sys.stderr, clean(text))


def document(value: object) -> None:
    """Print one JSON document to stdout: one line for programs, indented on a terminal."""
    say(as_json(value, indent=2 if terminal() else -1))


def as_json(value: object, *, indent: int = -1) -> str:
    """Write a value as JSON; an indent below zero keeps it on one line."""
    import msgspec

    text = msgspec.json.encode(value)
    return (msgspec.json.format(text, indent=indent) if indent >= 0 else text).decode()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings: with Rich on a terminal, as padded text elsewhere."""
    cells = [[_cell(value) for value in row] for row in rows]
    if terminal():
        _rich_table(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [[name.upper() for name in columns], *cells]:
        say(_GAP.join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip())


def fields(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, without those that have no value."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        say(f"{name.ljust(width)}{_GAP}{clean(value)}")


def moment(at: datetime | None) -> str:
    """Write a time as the clock on this machine's wall shows it; nothing for None."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clean(text: str) -> str:
    """Return the text without what a terminal would obey; line ends and tabs stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


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

    with Console(stderr=True).status(Text(clean(text))) as status:

        def show(new: str | None) -> None:
            if new is None:
                status.stop()
            else:
                status.update(Text(_cell(new)))
                status.start()

        yield show


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        # An id that is broken over two lines can't be copied.
        drawn.add_column(name, overflow="fold", no_wrap=name in ("task", "token"))
    for row in rows:
        drawn.add_row(*(Text(value) for value in row))
    Console().print(drawn)


def _cell(value: str) -> str:
    """Return a text on one line."""
    return clean(" ".join(value.split()))


def _write(stream: TextIO, text: str) -> None:
    # A terminal's encoding may lack a character of the answer: it is shown escaped instead of failing.
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
