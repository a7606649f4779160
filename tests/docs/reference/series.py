"""Every series that is scraped, by what it is about."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_atlas.observe.series import GROUPS, WITH_NAMES, Series
from tests.docs.reference.markdown import code, paragraphs, table


def of_a_network() -> str:
    """Return what `/metrics` tells."""
    return paragraphs(*(f"## {group}\n\n{_listed(found)}" for group, found in GROUPS.items()))


def with_names() -> str:
    """Return what `/metrics/agents` tells."""
    return _listed(WITH_NAMES)


def _listed(found: Iterable[Series]) -> str:
    return table(
        ("series", "kind", "labels", "unit", "meaning"),
        [(code(one.name), one.kind.value, ", ".join(map(code, one.labels)), one.unit, one.meaning) for one in found],
    )
