"""Values in a `.env` file: changed in place, never readable by others, never half written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.sdk.private_file import write_private

MAX_FILE = 1024 * 1024
_NAME = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=")
_PLAIN = re.compile(r"[\x21-\x7e]*")


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


def value(path: Path, name: str) -> str:
    """Return what the file has for a name; nothing when it has none, or cannot be read."""
    from agentic_atlas.sdk.dotenv_file import read

    try:
        return read(path).values.get(name, "") if path.is_file() else ""
    except ConfigurationError:
        return ""


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    if not path.is_file() or path.stat().st_size > MAX_FILE:
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
        match = _NAME.match(line)
        name = match["name"] if match else ""
        if name in left:
            result.append(f"{name}={left.pop(name)}")
        elif name not in values:
            result.append(line)
    return result + [f"{name}={value}" for name, value in left.items()]
