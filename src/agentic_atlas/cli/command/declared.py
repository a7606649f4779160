"""What a command takes, said once in the signature of its function: `name: Annotated[type, Option(…)] = default`.

Types are those that click reads and `Path`, each also with `| None`, and tuples of them for what may come more than
once.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Argument:
    """A word that is known by its place; the attributes are those of `click.Argument`."""

    def __init__(self, **attributes: object) -> None:
        self.attributes = attributes


class Option:
    """A word that is known by its names, else by the parameter's; the attributes are those of `click.Option`."""

    def __init__(self, *names: str, **attributes: object) -> None:
        self.names = names
        self.attributes = attributes


def whole(low: int, high: int | None = None) -> click.IntRange:
    """Return the type of a whole number within bounds, which is called so."""
    kind = click.IntRange(low, high)
    kind.name = "whole number"
    return kind


class Number(click.FloatRange):
    """A number within bounds; click takes `nan` for one within any."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return found


def parameters(function: Callable[..., object]) -> list[click.Parameter]:
    """Return what a function that is a command takes, in its order."""
    hints = typing.get_type_hints(function, include_extras=True)
    return [_parameter(one, hints[one.name]) for one in inspect.signature(function).parameters.values()]


def _parameter(one: inspect.Parameter, hint: object) -> click.Parameter:
    kind, said = typing.get_args(hint)
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    many = typing.get_origin(kind) is tuple
    kind = typing.get_args(kind)[0] if many else kind
    attributes: dict[str, Any] = {"type": click.Path(path_type=Path) if kind is Path else kind}
    required = one.default is inspect.Parameter.empty
    if not required:
        attributes["default"] = one.default
    attributes |= said.attributes
    if isinstance(said, Argument):
        return click.Argument([one.name], required, nargs=-1 if many else 1, **attributes)
    names = said.names or ("--" + one.name.replace("_", "-"),)
    flag = kind is bool
    shown = not (required or many or flag) and bool(one.default)
    return click.Option(
        [one.name, *names], required=required, is_flag=flag, multiple=many, show_default=shown, **attributes
    )
