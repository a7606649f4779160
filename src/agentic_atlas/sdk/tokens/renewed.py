"""Renewed tokens on disk: of each token, the one that came in its place, in a file named by the older one's id.

A file is its owner's alone (0600, in a folder that is 0700). Where the disk fails a renewed token is kept in memory:
the older one stays good until it expires, so that the next process begins with that.
"""

import os
import stat
from pathlib import Path
from typing import Final

from agentic_atlas.files import make_folder
from agentic_atlas.protocol.messages import LONGEST_TOKEN
from agentic_atlas.sdk.private_file import write_private
from agentic_atlas.sdk.tokens.unverified import read, token_name

_SUFFIX: Final = ".token"
_LONGEST_CHAIN: Final = 100
"""Renewals that are followed from one token: more than there are within the longest life of a lineage."""


class RenewedTokens:
    """What came in the place of which token."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder; None keeps them in memory."""
        self._folder = folder
        self._in_memory: dict[str, str] = {}

    def chain(self, token: str) -> list[str]:
        """Return the token and those that came in its place, the newest first."""
        chain = [token]
        while len(chain) < _LONGEST_CHAIN and (newer := self._after(chain[0])) and newer not in chain:
            chain.insert(0, newer)
        return chain

    def keep(self, token: str, renewed: str, now: float) -> None:
        """Remember the token that came in the place of one; `now` is in seconds since the epoch.

        Raises:
            OSError: it is kept in memory only.
        """
        self._in_memory[token_name(token)] = renewed
        if self._folder is None:
            return
        make_folder(self._folder)
        write_private(self._path(token), renewed.encode())
        self._sweep(self._folder, now)

    def _after(self, token: str) -> str:
        kept = self._in_memory.get(token_name(token))
        return kept or (_content(self._path(token)) if self._folder is not None else "")

    def _path(self, token: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{token_name(token)}{_SUFFIX}"

    def _sweep(self, folder: Path, now: float) -> None:
        """Delete what has expired: nobody asks for it any more."""
        for path in folder.glob(f"*{_SUFFIX}"):
            expires_at = read(_content(path)).exp
            if expires_at is not None and expires_at <= now:
                path.unlink(missing_ok=True)


def _content(path: Path) -> str:
    """Return the token in a file; nothing when there is none that can be used."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return ""
            content = file.read(LONGEST_TOKEN + 1).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return content if len(content) <= LONGEST_TOKEN and content.count(".") == 2 else ""
