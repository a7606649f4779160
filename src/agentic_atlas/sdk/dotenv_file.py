"""Reads a `.env` file, or what takes its place: a link, or a pipe that a keeper of secrets writes into.

Values in it are changed in place, never readable by others, never half written.
"""

import io
import os
import re
import select
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.sdk.private_file import write_private

NAME: Final = ".env"
_LONGEST: Final = 1024 * 1024
_PIPE_SECONDS: Final = 10.0
"""How long whoever writes into a pipe may take for each piece."""
_PIECE: Final = 64 * 1024
_SET: Final = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=")
_PLAIN: Final = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True)
class EnvFile:
    """What was read; its text form holds no value."""

    path: Path
    values: Mapping[str, str] = field(repr=False)
    """What has a value; a name without one is one that is not set."""
    broken: tuple[int, ...]
    """Numbers of the lines that could not be read."""
    open_to_others: bool
    """Other users of this machine may read it."""
    again: bool
    """It can be read again: a pipe can't."""


def find(folder: Path | None) -> Path | None:
    """Return the file beside an agent's, else that of the working directory, else None."""
    folders = [folder] if folder is not None else []
    try:
        folders.append(Path.cwd())
    except OSError:  # It was deleted while this process was in it.
        pass
    return next((path / NAME for path in folders if _is_there(path / NAME)), None)


def read(path: Path) -> EnvFile:
    """Return what the file holds. Values are taken as they stand: a $ is a $.

    Raises:
        ConfigurationError: it cannot be read, or is no text of a bearable size; the message names the fix.
    """
    from dotenv.parser import parse_stream

    try:
        content, mode = _content(path)
        # utf-8-sig: editors on Windows begin a file with a mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
    bindings = list(parse_stream(io.StringIO(text)))
    return EnvFile(
        path,
        {binding.key: binding.value.strip() for binding in bindings if binding.key and binding.value},
        tuple(binding.original.line for binding in bindings if binding.error),
        open_to_others=os.name == "posix" and bool(stat.S_IMODE(mode) & (stat.S_IRGRP | stat.S_IROTH)),
        again=stat.S_ISREG(mode),
    )


def value(path: Path, name: str) -> str:
    """Return what the file has for a name; nothing when it has none, is no plain file, or cannot be read."""
    try:
        return read(path).values.get(name, "") if path.is_file() else ""
    except (ConfigurationError, OSError):
        return ""


def set_values(path: Path, values: Mapping[str, str]) -> None:
    """Set these names in the file, made when it is not there; other lines stay. It is mode 0600 afterwards.

    Raises:
        InvalidInput: a value holds what a line of such a file cannot.
        ConfigurationError: what is there is not a small text file.
        OSError: it cannot be written.
    """
    if any(not _PLAIN.fullmatch(value) or set(value) & set("'\"#$\\") for value in values.values()):
        raise InvalidInput("a value for the .env file holds spaces, quotes or control characters")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no folder {target.parent} to put {target.name} into: make it first")
    lines = _changed(_lines(target), values)
    write_private(target, "".join(f"{line}\n" for line in lines).encode())


def replace_value(path: Path, name: str, value: str) -> None:
    """Set a name in a file that is there and this user's own. Raises as `set_values` does."""
    owner = path.stat().st_uid
    if hasattr(os, "geteuid") and owner != os.geteuid():
        # Another file would take its place, with another owner than whoever put it there wants.
        raise ConfigurationError(f"{path} belongs to another user")
    set_values(path, {name: value})


def _is_there(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _content(path: Path) -> tuple[bytes, int]:
    # Not to wait for ever where opening a pipe would: until somebody writes into it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        mode = os.fstat(handle).st_mode
        content = b""
        while len(content) <= _LONGEST:
            if stat.S_ISFIFO(mode):
                _wait(handle, path)
            piece = os.read(handle, _PIECE)
            content += piece
            if not piece:
                return content, mode
    finally:
        os.close(handle)
    raise ConfigurationError(f"{path} is larger than 1 MiB: is it a .env file?")


def _wait(handle: int, path: Path) -> None:
    if not select.select([handle], [], [], _PIPE_SECONDS)[0]:
        raise ConfigurationError(f"nothing was written into the pipe {path} within {_PIPE_SECONDS:g} s")


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    if not path.is_file() or path.stat().st_size > _LONGEST:
        raise ConfigurationError(f"{path} is not a .env file: name another one")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text in UTF-8: name another file") from None


def _changed(lines: list[str], values: Mapping[str, str]) -> list[str]:
    """Return the lines with each name set once: where it stood first, else at the end."""
    left = dict(values)
    result: list[str] = []
    for line in lines:
        match = _SET.match(line)
        name = match["name"] if match else ""
        if name in left:
            result.append(f"{name}={left.pop(name)}")
        elif name not in values:
            result.append(line)
    return result + [f"{name}={value}" for name, value in left.items()]
