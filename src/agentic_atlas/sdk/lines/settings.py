"""What of an agent's log is told and kept, as its environment says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentic_atlas.errors import ConfigurationError

FILE_BYTES: Final = 5 * 1024 * 1024
"""Bytes after which a new file of an agent's log is begun, unless `ATLAS_LOG_FILE_BYTES` says another number."""
FILES: Final = 3
"""How many such files are kept, the one that is written included, unless `ATLAS_LOG_FILES` says another number."""

VARIABLES: Final = (
    "ATLAS_CAPTURE_LOGGING",
    "ATLAS_CAPTURE_OUTPUT",
    "ATLAS_LOG_FILE",
    "ATLAS_LOG_FILE_BYTES",
    "ATLAS_LOG_FILES",
)
CAPTURED: Final[Mapping[str, int | None]] = {
    "debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50, "off": None,
}  # fmt: skip
"""What `ATLAS_CAPTURE_LOGGING` may be: the names of the standard library's levels, and `off`."""

_LEAST_BYTES: Final = 64 * 1024
_YES: Final = ("1", "true")
_NO: Final = ("0", "false")


@dataclass(frozen=True)
class LineSettings:
    """What of a log is told to the network, and kept in a file."""

    logging: int | None = CAPTURED["info"]
    """`ATLAS_CAPTURE_LOGGING`: the lowest level of `logging` that is taken; None: nothing of it is."""
    output: bool = False
    """`ATLAS_CAPTURE_OUTPUT`: whether what is printed is taken too."""
    file: Path | None = None
    """`ATLAS_LOG_FILE`: the file; or, when `folder` is set, not chosen."""
    folder: Path | None = None
    """Where the file is that nobody has chosen, with the name of the agent; None: there is none."""
    file_bytes: int = FILE_BYTES
    """`ATLAS_LOG_FILE_BYTES`: size at which a new one is begun."""
    files: int = FILES
    """`ATLAS_LOG_FILES`: how many are kept."""

    def path(self, agent: str) -> Path | None:
        """Return the file of an agent of this name; None: it has none."""
        return self.file or (None if self.folder is None else self.folder / f"{agent}.log")


def line_settings(values: Mapping[str, str], state: Path | None) -> LineSettings:
    """Return what the variables say; `state` is where this user's programs keep what they write, if anywhere.

    Raises:
        ConfigurationError: one can't be used; the message names the fix.
    """
    level = values.get("ATLAS_CAPTURE_LOGGING", "info").lower()
    if level not in CAPTURED:
        raise ConfigurationError(f"ATLAS_CAPTURE_LOGGING has to be one of {', '.join(CAPTURED)}")
    output = values.get("ATLAS_CAPTURE_OUTPUT", "0").lower()
    if output not in (*_YES, *_NO):
        raise ConfigurationError("ATLAS_CAPTURE_OUTPUT has to be 1 or 0")
    named = values.get("ATLAS_LOG_FILE", "")
    file = Path(named) if named and named.lower() != "off" else None
    if file is not None and not file.is_absolute():
        raise ConfigurationError("ATLAS_LOG_FILE has to be the absolute path of a file, or off")
    return LineSettings(
        CAPTURED[level],
        output in _YES,
        file,
        state / "logs" if state is not None and not named else None,
        _number(values, "ATLAS_LOG_FILE_BYTES", FILE_BYTES, _LEAST_BYTES),
        _number(values, "ATLAS_LOG_FILES", FILES, 1),
    )


def _number(values: Mapping[str, str], name: str, usual: int, least: int) -> int:
    value = values.get(name, str(usual))
    if not (value.isascii() and value.isdigit() and int(value[:12]) >= least):
        raise ConfigurationError(f"{name} has to be a whole number, {least} or more")
    return int(value)
