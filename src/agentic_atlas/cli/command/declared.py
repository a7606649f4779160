"""What a command takes, said once in the signature of its function: `name: Annotated[type, Option(…)] = default`.

Types are `str`, `int`, `float`, `bool` and `Path`, each also with `| None`, and lists of them for what may come more
than once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Completes = Callable[[str, Sequence[str]], Sequence[str]]
"""Given the beginning of a word and the arguments before it: how the word may go on."""

REQUIRED = object()
"""The default of what has to be given."""

_WORDS: dict[type, str] = {int: "N", float: "NUMBER", Path: "PATH", str: "TEXT"}


class Argument:
    """A word that is known by its place."""

    def __init__(
        self,
        metavar: str,
        *,
        help: str = "",
        rest: bool = False,
        choices: Sequence[str] = (),
        completes: Completes | None = None,
    ) -> None:
        """`rest`: every word from here on belongs to it, whatever it looks like."""
        self.metavar = metavar
        self.help = help
        self.rest = rest
        self.choices = tuple(choices)
        self.completes = completes


class Option:
    """A word that is known by its name: `--name value`, `--name=value`, or `--name` alone when it is true or false.

    `--name/--other` gives the names for true and for false; without a name it is the parameter's own.
    """

    def __init__(  # what there is to say of an option
        self,
        *names: str,
        metavar: str = "",
        help: str = "",
        min: float | None = None,
        max: float | None = None,
        choices: Sequence[str] = (),
        completes: Completes | None = None,
    ) -> None:
        self.names = names
        self.metavar = metavar
        self.help = help
        self.min = min
        self.max = max
        self.choices = tuple(choices)
        self.completes = completes


@dataclass(frozen=True)
class Parameter:
    """One thing that a command takes."""

    name: str
    """Of the function's parameter."""
    said: Argument | Option
    type: type
    many: bool
    default: Any

    @property
    def required(self) -> bool:
        """True when the command cannot do without."""
        return self.default is REQUIRED

    @property
    def flag(self) -> bool:
        """True for an option without a value."""
        return self.type is bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of an option; none for an argument."""
        return tuple(name.partition("/")[0] for name in self._declared)

    @property
    def denials(self) -> tuple[str, ...]:
        """Names that make a flag false."""
        return tuple(other for name in self._declared if (other := name.partition("/")[2]))

    @property
    def metavar(self) -> str:
        """What stands for the value in the help."""
        if self.flag:
            return ""
        return self.said.metavar or "|".join(self.said.choices) or _WORDS[self.type]

    @property
    def label(self) -> str:
        """What it is called in errors."""
        return self.names[0] if self.names else self.metavar

    @property
    def _declared(self) -> tuple[str, ...]:
        if isinstance(self.said, Argument):
            return ()
        return self.said.names or ("--" + self.name.replace("_", "-"),)


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """Return what a function that is a command takes, in its order."""
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    plain = function.__defaults__ or ()
    by_place = code.co_varnames[code.co_argcount - len(plain) : code.co_argcount]
    defaults: dict[str, Any] = dict(zip(by_place, plain, strict=True))
    defaults |= function.__kwdefaults__ or {}
    hints = typing.get_type_hints(function, include_extras=True)
    return [_parameter(name, hints[name], defaults.get(name, REQUIRED)) for name in code.co_varnames[:count]]


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    kind, said = typing.get_args(hint)
    if isinstance(kind, types.UnionType):
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    many = typing.get_origin(kind) is list
    return Parameter(name, said, typing.get_args(kind)[0] if many else kind, many, default)
