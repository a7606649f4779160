"""Words turned into the arguments of a function. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentic_atlas.cli.command.declared import Argument, Option, Parameter
from agentic_atlas.cli.command.usage import Usage, nearest

HELP = ("-h", "--help")
_KINDS: dict[type, str] = {int: "a whole number", float: "a number"}


def wants_help(words: Sequence[str], parameters: Sequence[Parameter]) -> bool:
    """Tell whether help is asked for, before `--` and before the words that belong to somebody else."""
    theirs = next((place for place in _places(parameters) if _rest(place)), None)
    for word in words:
        if word == "--" or (theirs is not None and not word.startswith("-")):
            return False
        if word in HELP:
            return True
    return False


def read(words: Sequence[str], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the function's arguments.

    Raises:
        Usage: the words are not what the command takes.
    """
    reader = _Reader(parameters)
    left = iter(words)
    for word in left:
        reader.take(word, left)
    return reader.finished()


class _Reader:
    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = parameters
        self._options = {name: one for one in parameters for name in (*one.names, *one.denials)}
        self._places = list(_places(parameters))
        self._found: dict[str, Any] = {}
        self._literal = False

    def take(self, word: str, left: Iterator[str]) -> None:
        """Take the next word, and from `left` what belongs to it."""
        if self._literal or not _looks_like_option(word):
            self._place(word, left)
        elif word == "--":
            self._literal = True
        else:
            self._option(word, left)

    def finished(self) -> dict[str, Any]:
        """Return all arguments, those that were not given too."""
        for one in self._parameters:
            if one.name not in self._found:
                if one.required:
                    raise Usage(f"{one.label} is missing")
                self._found[one.name] = [] if one.many and one.default is None else one.default
        return self._found

    def _place(self, word: str, left: Iterator[str]) -> None:
        if not self._places:
            raise Usage(f"`{word}` is one word too many")
        one = self._places[0]
        if _rest(one):
            self._found[one.name] = [word, *left]
        elif one.many:
            self._found.setdefault(one.name, []).append(_value(one, word))
        else:
            self._found[self._places.pop(0).name] = _value(one, word)
            if self._places and _rest(self._places[0]):
                self._literal = True

    def _option(self, word: str, left: Iterator[str]) -> None:
        name, equals, given = word.partition("=")
        one = self._options.get(name)
        if one is None:
            raise Usage(f"there is no option {name} here{nearest(name, [*self._options, *HELP])}")
        if one.flag:
            if equals:
                raise Usage(f"{name} takes no value")
            self._found[one.name] = name in one.names
            return
        value = _value(one, given if equals else _next(name, left))
        if one.many:
            self._found.setdefault(one.name, []).append(value)
        elif one.name in self._found:
            raise Usage(f"{name} is given twice")
        else:
            self._found[one.name] = value


def _next(name: str, left: Iterator[str]) -> str:
    word = next(left, None)
    if word is None:
        raise Usage(f"{name} needs a value")
    return word


def _value(one: Parameter, text: str) -> Any:
    """Return a value as its parameter wants it."""
    choices = one.said.choices
    if choices and text not in choices:
        raise Usage(f"{one.label} is one of {', '.join(choices)}; `{text}` is not{nearest(text, choices)}")
    if one.type in _KINDS:
        return _number(one, text)
    return Path(text) if one.type is Path else text


def _number(one: Parameter, text: str) -> int | float:
    said = one.said
    low, high = (said.min, said.max) if isinstance(said, Option) else (None, None)
    bounds = f" from {low} to {high}" if None not in (low, high) else "" if low is None else f" from {low} on"
    try:
        value: int | float = one.type(text)
    except ValueError:
        value = float("nan")
    # Written so that what is not a number is in no range.
    if not (float("-inf") if low is None else low) <= value <= (float("inf") if high is None else high):
        raise Usage(f"{one.label} has to be {_KINDS[one.type]}{bounds}; `{text}` is not")
    return value


def _looks_like_option(word: str) -> bool:
    # A lone dash is stdin, and what begins like a negative number is one.
    return word.startswith("-") and len(word) > 1 and not word[1].isdigit()


def _places(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    return (one for one in parameters if isinstance(one.said, Argument))


def _rest(one: Parameter) -> bool:
    return isinstance(one.said, Argument) and one.said.rest
