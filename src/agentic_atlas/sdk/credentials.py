"""The API keys of a person on this machine: one small file, mode 0600, written whole or not at all.

```json
{"platforms": {"http://127.0.0.1:8000": {"api_key": "…"}}, "default": "http://127.0.0.1:8000"}
```
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.files import make_folder
from agentic_atlas.sdk.address import base_url, is_loopback
from agentic_atlas.sdk.private_file import write_private

_LONGEST: Final = 1024 * 1024


class StoredKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one platform."""

    api_key: str
    user: str = ""
    """Whose key it is, as far as that was said."""
    folder: str = ""
    """Data folder of a network that `atlas up` started on this machine; empty: one that was logged in to."""
    passing: bool = False
    """Its port was any free one: nobody will find it there again."""

    def __repr__(self) -> str:
        return "StoredKey(api_key=…)"


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of the file."""

    platforms: dict[str, StoredKey] = {}
    """By address, as `address.base_url` writes it."""
    default: str | None = None
    """Address used when none is given."""
    chosen: bool = False
    """A person chose it: no network takes commands from it by coming up or by its end."""

    def entry(self, url: str) -> StoredKey | None:
        """Return what is stored for this very platform, or None; this machine's own names count as one.

        Raises:
            ConfigurationError: it is no address of a platform.
        """
        wanted = _identity(url)
        return next((entry for held, entry in self.platforms.items() if _identity(held) == wanted), None)

    def api_key(self, url: str) -> str | None:
        """Return the key stored for this very platform, or None; raises as `entry` does."""
        found = self.entry(url)
        return None if found is None else found.api_key

    def is_default(self, url: str) -> bool:
        """Tell whether commands go to this platform."""
        return self.default is not None and _identity(self.default) == _identity(url)

    def with_entry(
        self, url: str, entry: StoredKey, *, default: bool = True, chosen: bool | None = None
    ) -> "Credentials":
        """Return these with one more platform, the default when that is wanted or nothing else is.

        `chosen`: whether a person chose it as the default; None: as it was before.
        """
        address = base_url(url)
        kept = self.without(url)
        if not default and not self.is_default(url) and kept.default is not None:
            return replace(kept, platforms={**kept.platforms, address: entry})
        return Credentials({**kept.platforms, address: entry}, address, self.chosen if chosen is None else chosen)

    def using(self, url: str, *, chosen: bool = True) -> "Credentials":
        """Return these with another default, which has to be one of them; `chosen` by a person."""
        wanted = _identity(url)
        return replace(self, default=next(held for held in self.platforms if _identity(held) == wanted), chosen=chosen)

    def without(self, url: str) -> "Credentials":
        """Return these without a platform."""
        gone = _identity(url)
        kept = {held: entry for held, entry in self.platforms.items() if _identity(held) != gone}
        if self.default in kept:
            return replace(self, platforms=kept)
        return Credentials(kept, next(iter(kept), None))

    def started_from(self, folder: str) -> dict[str, StoredKey]:
        """Return the platforms that were started here with this data folder, by address."""
        return {held: entry for held, entry in self.platforms.items() if folder and entry.folder == folder}


def read(path: Path) -> Credentials:
    """Return what is in the file, or nothing when there is none.

    Raises:
        ConfigurationError: it cannot be read, is not ours, or other users can read it; the message names the fix.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return Credentials()
    except OSError as error:
        raise ConfigurationError(f"can't read {path}: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(f"{path} holds API keys and other users can read it: run chmod 600 {path}")
    try:
        return msgspec.json.decode(content, type=Credentials)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # `from None`: the error of a parser may quote what it read.
        raise ConfigurationError(f"{path} is not written correctly: delete it and log in again") from None


def change(path: Path, change: Callable[[Credentials], Credentials]) -> None:
    """Write what `change` makes of the file, unless that is the same. Processes that do so at once wait for each other.

    Raises:
        ConfigurationError: as `read` and `write` do.
    """
    try:
        make_folder(path.parent)
        alone = _alone(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    with alone:
        held = read(path)
        changed = change(held)
        if changed != held:
            write(path, changed)


def write(path: Path, credentials: Credentials) -> None:
    """Write the file, readable by its owner alone: a reader sees the old content or the new one, never a part.

    Raises:
        ConfigurationError: it cannot be written.
    """
    content = msgspec.json.format(msgspec.json.encode(credentials), indent=2)
    try:
        make_folder(path.parent)
        write_private(path, content)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"can't write {path}: {error.strerror}; name a folder of your own with XDG_CONFIG_HOME")


def _alone(folder: Path) -> AbstractContextManager[object]:
    """Return what keeps others from changing the file meanwhile; it leaves nothing behind. Raises OSError."""
    try:
        import fcntl
    except ImportError:  # Windows
        return nullcontext()
    held = ExitStack()
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    held.callback(os.close, handle)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return held.pop_all()


def _identity(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(base_url(url))
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, "localhost" if is_loopback(host) else host, port, parts.path
