"""`atlas top`: all connected processes and what they take, live; keys put them in another order and filter them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, get_args

import click

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.columns import fitted, padded, wide
from agentic_atlas.cli.command.declared import Argument, Number, Option
from agentic_atlas.cli.options import Json
from agentic_atlas.cli.resources import HELD_UP, size
from agentic_atlas.cli.visible import one_line
from agentic_atlas.errors import Busy, Unavailable
from agentic_atlas.protocol.caller.resources import ProcessOrder

if TYPE_CHECKING:
    from rich.text import Text

    from agentic_atlas.protocol.caller.resources import Fleet, ProcessInfo
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

EVERY: Final = 2.0
"""Seconds between two looks."""
MOST: Final = 500
"""Lines that are asked for at the most."""
_ORDERS: Final[Mapping[str, ProcessOrder]] = {
    "c": "cpu",
    "m": "memory",
    "s": "slots",
    "w": "waiting",
    "l": "lag",
    "u": "machine",
    "a": "agent",
}
_KEYS: Final = "c cpu  m memory  s slots  w waiting  l lag  u machine  a agent  / filter  space pause  q quit"
_COLUMNS: Final = ("agent", "cpu", "memory", "slots", "wait", "machine", "lag", "takes none for", "host", "instance")
_DROP: Final = ("instance", "host", "lag", "machine", "takes none for", "wait", "slots")
"""Columns that go, one after the other, where there is no room; then names give way."""
_ROOM: Final = 4
"""Lines above the processes, the heading among them."""


@dataclass(frozen=True)
class TopView:
    """What is looked at, and how."""

    part: str = ""
    order: ProcessOrder = "cpu"
    typing: bool = False
    """What is typed is a part of a name."""
    paused: bool = False
    over: bool = False

    def pressed(self, key: str) -> TopView:
        """Return the view after a key."""
        if self.typing:
            return self._typed(key)
        if key in _ORDERS:
            return replace(self, order=_ORDERS[key])
        changes: Mapping[str, TopView] = {
            "q": replace(self, over=True),
            "\x04": replace(self, over=True),
            "/": replace(self, typing=True),
            "\x1b": replace(self, part=""),
            " ": replace(self, paused=not self.paused),
        }
        return changes.get(key, self)

    def _typed(self, key: str) -> TopView:
        if key in "\r\n":
            return replace(self, typing=False)
        if key == "\x1b":
            return replace(self, typing=False, part="")
        if key in "\x7f\x08":
            return replace(self, part=self.part[:-1])
        return replace(self, part=(self.part + key)[:129]) if key.isprintable() else self


def show(
    *,
    part: Annotated[str, Argument(help="A part of the agents' names, or of the hosts'.")] = "",
    order: Annotated[
        str, Option("--order", type=click.Choice(get_args(ProcessOrder)), help="By what they are put in order.")
    ] = "cpu",
    every: Annotated[float, Option("--every", metavar="SECONDS", type=Number(0.5), help="Between two looks.")] = EVERY,
    once: Annotated[bool, Option("--once", help="Look once, and end; so it does where nobody reads.")] = False,
    json: Json = False,
) -> None:
    """Show the processes of your agents with what they take, live; the keys are on the screen."""
    view = TopView(part, next(one for one in get_args(ProcessOrder) if one == order))
    live = output.terminal() and not (once or json)

    async def work() -> Fleet:
        async with connection.connect() as atlas:
            found = await _look(atlas, view)
            if live:
                await _live(atlas, view, every, found)
            return found

    found = connection.run(work())
    if json:
        output.document(found)
    elif not live:
        wide_enough = output.width() if output.terminal() else sys.maxsize
        output.page("\n".join([summary(found, view), *_table(found, wide_enough, MOST)]))


async def _look(atlas: AsyncClient, view: TopView) -> Fleet:
    return await atlas.agents.fleet(view.part, order=view.order, limit=MOST)


async def _live(atlas: AsyncClient, view: TopView, every: float, fleet: Fleet) -> None:
    """Look again and again, and at each key, until it is over."""
    from rich.console import Console
    from rich.live import Live

    console, woken, note = Console(), asyncio.Event(), ""

    def press(key: str) -> None:
        nonlocal view
        view = view.pressed(key)
        woken.set()

    with Live(console=console, screen=True, auto_refresh=False) as screen, keys(press):
        while not view.over:
            screen.update(_text(lines(fleet, view, console.width, console.height, note)), refresh=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await woken.wait()
            woken.clear()
            if view.paused or view.over:
                continue
            try:
                fleet, note = await _look(atlas, view), ""
            except (Unavailable, Busy) as error:
                note = f"{error.message}: this is how it was"


@contextmanager
def keys(press: Callable[[str], None]) -> Iterator[None]:
    """Have each key told that is pressed within the block; where there are none, nothing."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield
        return
    import os

    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    terminal, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        text = os.read(terminal, 256).decode("utf-8", "ignore")
        # Arrows and the like come as several at once, and mean nothing here.
        for key in text if not (text.startswith("\x1b") and len(text) > 1) else "":
            press(key)

    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def summary(fleet: Fleet, view: TopView) -> str:
    """Return the line about all of them."""
    which = f"{fleet.matching} of {fleet.processes}" if view.part else f"{fleet.processes}"
    return (
        f"processes: {which}, slots: {fleet.slots_used} of {fleet.slots}, waiting: {fleet.waiting}, "
        f"cpu: {fleet.cpu / 100:.1f} cores, memory: {size(fleet.memory)}"
    )


def lines(fleet: Fleet, view: TopView, width: int, height: int, note: str = "") -> list[str]:
    """Return the screen, line by line."""
    at = f"{fleet.at.astimezone():%H:%M:%S}"
    state = "paused" if view.paused else f"by {view.order}"
    asked = f"  filter: {view.part}{'_' if view.typing else ''}" if view.part or view.typing else ""
    head = [f"atlas top  {at}  {state}{asked}", summary(fleet, view), note or _KEYS]
    return [padded(one_line(line), width).rstrip() for line in head] + _table(fleet, width, max(1, height - _ROOM))


def _table(fleet: Fleet, width: int, room: int) -> list[str]:
    rows = [[one_line(cell) for cell in _cells(one)] for one in fleet.items[:room]]
    cells = {name: [name.upper(), *(row[place] for row in rows)] for place, name in enumerate(_COLUMNS)}
    widths = {name: max(map(wide, column)) for name, column in cells.items()}
    kept = fitted(fitted(widths, (), _DROP, width, len(output.GAP)), ("agent",), (), width, len(output.GAP))
    shown = zip(*([padded(value, kept[name]) for value in cells[name]] for name in kept), strict=True)
    return [output.GAP.join(line).rstrip() for line in shown]


def _cells(one: ProcessInfo) -> tuple[str, ...]:
    return (
        one.agent,
        "" if one.cpu is None else f"{one.cpu:.0f} %",
        "" if one.memory is None else size(one.memory),
        f"{one.slots_used}/{one.slots}",
        str(one.waiting or ""),
        "" if one.resources is None else f"{one.resources.machine_cpu:.0f} %",
        times.took(one.lag) if one.lag else "",
        "" if one.holdup is None else HELD_UP.get(one.holdup, one.holdup),
        one.host,
        one.id,
    )


def _text(shown: list[str]) -> Text:
    """Return the screen as rich has it; nothing of it is markup."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop")
    heading = _ROOM - 1
    for place, line in enumerate(shown):
        style = "bold" if place == 0 else "dim" if place == heading - 1 else "reverse" if place == heading else ""
        text.append(line, style=style)
        if place < len(shown) - 1:
            text.append("\n")
    return text
