"""What a client would like to be answered in (`Accept`, RFC 9110 sections 12.4.2 and 12.5.1). Pure."""

from collections.abc import Iterable

_MOST_MEMBERS = 100


def prefers(accept: Iterable[str], kind: str, other: str) -> bool:
    """Tell whether a client names `kind`, and does not like `other` better.

    Args:
        accept: values of all `Accept` headers.
        kind: media type, for instance `application/json`; a range such as `*/*` does not name it.
        other: what it would be answered in otherwise.
    """
    liked = dict(_read(accept))
    return liked.get(kind, 0.0) > 0 and liked[kind] >= liked.get(other, 0.0)


def _read(accept: Iterable[str]) -> Iterable[tuple[str, float]]:
    members = ",".join(accept).split(",", _MOST_MEMBERS)[:_MOST_MEMBERS]
    for member in members:
        kind, *parameters = (part.strip().lower() for part in member.split(";"))
        weights = [value for name, _, value in (one.partition("=") for one in parameters) if name.strip() == "q"]
        yield kind, _weight(weights[0]) if weights else 1.0


def _weight(text: str) -> float:
    """Return a weight; 0 for what is none."""
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
