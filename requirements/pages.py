"""Have the code of others that pages load in place: htmx, as `htmx.lock` says, in a folder that is not committed.

`make setup` runs this file; the build of a wheel has it done as a hook of Hatch, so that every wheel holds it.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # Hatch loads this file alone

import npm  # noqa: E402

LOCK = HERE / "htmx.lock"
VENDORED = HERE.parent / "src" / "agentic_atlas" / "platform" / "vendor"
FILES = {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE"}


class PagesHook(BuildHookInterface):
    """Puts what is fetched into the wheel, which Git ignores."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See that it is there before anything is packed."""
        vendor()
        build_data["artifacts"].append("src/agentic_atlas/platform/vendor/*")


def vendor() -> None:
    """Fetch what is not there yet, or is of another version: whole, or nothing of it."""
    made_of = VENDORED / LOCK.name
    if made_of.exists() and made_of.read_bytes() == LOCK.read_bytes():
        return
    contents = npm.files(LOCK, list(FILES))
    VENDORED.mkdir(parents=True, exist_ok=True)
    made_of.unlink(missing_ok=True)
    for name, content in zip(FILES.values(), contents, strict=True):
        (VENDORED / name).write_bytes(content)
    made_of.write_bytes(LOCK.read_bytes())


if __name__ == "__main__":
    try:
        vendor()
    except npm.Unfetched as error:
        raise SystemExit(f"setup: {error}") from None
