"""Templates: what they are given besides a view, and how they are rendered. All that comes from data is escaped.

No template or filter says that something is safe: what is not to be escaped stands in a template itself.
"""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agentic_atlas.platform import assets
from agentic_atlas.platform.wording import duration, size, visible

FOLDER: Final = Path(__file__).with_name("templates")


def number(value: int) -> str:
    """Write a number for people: 12,345."""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Write how many there are of something: 1 agent, 2 agents."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def iso(at: datetime) -> str:
    """Write a time for machines; a script of the page shows it in the zone of whoever reads."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(at: datetime) -> str:
    """Write a time for people whose browser runs no scripts."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def percent(part: float) -> str:
    """Write a part of a whole: 99.5 %. Nothing but all of it is 100 %."""
    return f"{math.floor(part * 1_000) / 10:g} %"


FILTERS: Final = {
    "duration": duration,
    "iso": iso,
    "number": number,
    "percent": percent,
    "plural": plural,
    "size": size,
    "utc": utc,
    "visible": visible,
}
GLOBALS: Final = {"asset": assets.address}


def environment() -> Environment:
    """Return what templates are compiled in: each once, when it is first used."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(GLOBALS)
    return made


_ENVIRONMENT: Final = environment()


def render(template: str, **context: object) -> str:
    """Return what a template makes of what it is given."""
    return _ENVIRONMENT.get_template(template).render(context)
