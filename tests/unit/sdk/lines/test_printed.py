"""What is printed, by line and by whom."""

from __future__ import annotations

import contextvars
import io
import threading
from typing import cast

from agentic_atlas.protocol.messages import Caller, Raw, Task
from agentic_atlas.sdk.lines.origin import CURRENT, Origin
from agentic_atlas.sdk.lines.printed import Printed


class Screen:
    """A stream, what was told of it, and whether anybody listens."""

    def __init__(self) -> None:
        self.behind = io.StringIO()
        self.told: list[tuple[str, str]] = []
        self.hears = True
        self.stream = Printed(self.behind, self._tell, lambda: self.hears)

    def _tell(self, line: str, origin: Origin | None) -> None:
        self.told.append((line, "" if origin is None else origin.task.task))

    def print(self, *values: object, end: str = "\n") -> None:
        print(*values, end=end, file=cast("io.StringIO", self.stream))


def attempt(name: str) -> Origin:
    task = Task(name, 1, "work", Raw(b"{}"), Caller("user", "u1"), "", 0.0)
    return Origin(task, home=threading.get_ident())


def within(origin: Origin) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(CURRENT.set, origin)
    return context


def test_each_line_is_told_and_all_is_passed_on_as_it_is() -> None:
    screen = Screen()
    screen.print("one")
    screen.print("two ", end="")
    screen.print("parts\nthree")
    screen.stream.writelines(["four\n", "\n", "   \n"])
    assert [line for line, _ in screen.told] == ["one", "two parts", "three", "four"]
    assert screen.behind.getvalue() == "one\ntwo parts\nthree\nfour\n\n   \n"
    assert screen.stream.getvalue is not None


def test_what_two_attempts_print_at_once_is_never_one_line() -> None:
    screen = Screen()
    first, second = within(attempt("t1")), within(attempt("t2"))
    first.run(screen.print, "begun ", end="")
    second.run(screen.print, "other ", end="")
    screen.print("nobody's")
    first.run(screen.print, "ended")
    second.run(screen.print, "too")
    assert screen.told == [("nobody's", ""), ("begun ended", "t1"), ("other too", "t2")]


def test_what_an_attempt_prints_after_its_end_is_nobodys() -> None:
    screen, origin = Screen(), attempt("t1")
    context = within(origin)
    context.run(screen.print, "in it")
    origin.over = True
    context.run(screen.print, "after it")
    assert screen.told == [("in it", "t1"), ("after it", "")]


def test_a_bar_of_progress_is_told_as_it_was_last() -> None:
    screen = Screen()
    for percent in range(0, 101, 10):
        screen.print(f"\r{percent}%", end="")
    screen.print()
    screen.print("windows\r")
    assert [line for line, _ in screen.told] == ["100%", "windows"]


def test_a_line_without_an_end_is_told_in_pieces_and_at_the_end() -> None:
    screen = Screen()
    screen.print("x" * 10_000, end="")
    assert [len(line) for line, _ in screen.told] == [10_000]
    screen.print("the rest", end="")
    screen.stream.rest()
    assert screen.told[-1] == ("the rest", "")


def test_of_too_many_open_lines_the_oldest_is_told_as_it_is() -> None:
    screen = Screen()
    for number in range(150):
        within(attempt(f"t{number}")).run(screen.print, f"open {number}", end="")
    assert screen.told == [(f"open {number}", f"t{number}") for number in range(50)]


def test_while_nobody_listens_nothing_is_told() -> None:
    screen = Screen()
    screen.hears = False
    screen.print("one")
    assert screen.told == []
    assert screen.behind.getvalue() == "one\n"
