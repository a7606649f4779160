"""What a browser calls itself (`User-Agent`), as people call it. Pure: nothing of it proves anything."""

from collections.abc import Sequence
from typing import Final

from agentic_atlas.platform.wording import visible

_BROWSERS: Final = (
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("curl/", "curl"),
    ("python-httpx/", "Python"),
)
"""By what stands before the version; those that also call themselves as another one come before that."""
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST: Final = 60


def browser_of(agent: str) -> str:
    """Return a browser with its version and its system: Firefox 128 on Linux; what is not known, as it says itself."""
    browser = _first(agent, _BROWSERS)
    if not browser:
        return visible(agent[:_LONGEST]) or "unknown"
    mark = next(mark for mark, name in _BROWSERS if name == browser)
    version = agent.partition(mark)[2].partition(" ")[0].partition(".")[0]
    system = _first(agent, _SYSTEMS)
    named = f"{browser} {version}" if version.isdecimal() and len(version) < 5 else browser
    return f"{named} on {system}" if system else named


def _first(agent: str, known: Sequence[tuple[str, str]]) -> str:
    return next((name for mark, name in known if mark in agent), "")
