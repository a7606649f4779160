"""Values in a `.env` file: changed in place, never readable by others, never half written."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentic_atlas.errors import ConfigurationError, InvalidInput

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
    target = path.resolve()
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no folder {target.parent} to put {target.name} into: make it first")
    lines = _changed(_lines(target), values)
    _replace(target, "".join(f"{line}\n" for line in lines))


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    if not path.is_file() or path.stat().st_size > MAX_FILE:
        raise ConfigurationError(f"{path} is not a .env file: name another one")
    try:
        return path.read_text(encoding="utf-8").splitlines()
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


def _replace(path: Path, text: str) -> None:
    """Write the file beside the old one and put it in its place; `mkstemp` makes it readable by its owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        # Also when somebody interrupts it: it may hold a token.
        new.unlink(missing_ok=True)
