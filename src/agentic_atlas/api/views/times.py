"""Times as the API shows them: ISO 8601 in UTC."""

from datetime import UTC, datetime

_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def at(seconds: float) -> datetime:
    """Return a time as it is shown; one that no calendar has, as the last one that it has."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_MOMENT), UTC)


def maybe(seconds: float | None) -> datetime | None:
    """Return a time that may be absent."""
    return None if seconds is None else at(seconds)
