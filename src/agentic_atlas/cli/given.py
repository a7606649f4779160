"""What is given on the line itself, in a file, or on stdin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentic_atlas.cli import output
from agentic_atlas.errors import AtlasError, InvalidInput, NotFound, PayloadTooLarge

if TYPE_CHECKING:
    from agentic_atlas.auth.scopes import Scope
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

MAX_INPUT = 4 * 1024 * 1024
"""Longest input that is read from a file or from stdin, in bytes."""


def text(source: str) -> str:
    """Return what `JSON|@FILE|-` stands for.

    Raises:
        InvalidInput: a file is not there, or not text. PayloadTooLarge: it is longer than 4 MiB.
    """
    if source != "-" and not source.startswith("@"):
        return source
    where = source if source == "-" else source[1:]
    try:
        return content(where).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{'stdin' if where == '-' else where} is not text in UTF-8") from None


def scopes(words: Sequence[str], known: tuple[Scope, ...]) -> Sequence[str] | None:
    """Return the words of `--scope`, None for none; one that is not among those known is a mistake in the line."""
    from agentic_atlas.auth.scopes import parse_scopes

    try:
        for word in words:
            parse_scopes(word.replace(" ", "_") or "''", known)
    except InvalidInput as error:
        raise click.UsageError(error.message) from None
    return words or None


async def agents_missing(atlas: AsyncClient, words: Sequence[str] | None) -> list[str]:
    """Return the agents that scopes name and that are not there, as far as whoever asks sees."""
    named = [word.split(":", 2)[2] for word in words or () if word.count(":") == 2]
    missing = []
    for agent in dict.fromkeys("/".join(one.split("/")[:2]) for one in named):
        try:
            await atlas.agents.get(agent)
        except NotFound:
            missing.append(agent)
        except AtlasError:
            return []  # It is for a warning, and whoever makes a key need not see agents.
    return missing


def tell_missing(agents: Sequence[str]) -> None:
    """Warn of scopes that are good for nothing yet."""
    for agent in agents:
        output.aside(f"There is no agent {agent} that you see: the scope counts once there is one that is called so.")


def content(where: str) -> bytes:
    """Return what is in a file, given its path, or what comes through stdin, given `-`.

    Raises:
        InvalidInput: there is no such file. PayloadTooLarge: it is longer than 4 MiB.
    """
    if where == "-":
        data = sys.stdin.buffer.read(MAX_INPUT + 1) if sys.stdin is not None else b""
    else:
        try:
            with Path(where).open("rb") as file:
                data = file.read(MAX_INPUT + 1)
        except FileNotFoundError:
            raise click.UsageError(
                f"there is no file {where}: what begins with @ names one; for @ itself write @@"
            ) from None
        except IsADirectoryError:
            raise click.UsageError(f"{where} is a folder, not a file") from None
    if len(data) > MAX_INPUT:
        raise PayloadTooLarge(f"the input has more than the {MAX_INPUT} bytes allowed: send less, or a link to it")
    return data
