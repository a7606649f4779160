"""What is logged about the connection: one line when it goes, one when it is back, and a few while it is away."""


class Outage:
    """Keeps the number of lines low however many tries there are. Times are seconds of a monotonic clock."""

    def __init__(self, tell_again: float) -> None:
        self._tell_again = tell_again
        self._ever = False
        self._since: float | None = None
        self._told_at = 0.0

    def failed(self, first: str, why: str, now: float) -> str | None:
        """A try to connect failed; return the line to log, if it is time for one.

        `first` is the whole line for a router that was never reached, `why` the reason alone.
        """
        if self._since is None:
            self._since = self._told_at = now
            return first
        if now - self._told_at < self._tell_again:
            return None
        self._told_at = now
        return f"still no connection after {now - self._since:.0f} s ({why}); trying again"

    def lost(self, why: str, now: float) -> str | None:
        """A connection was lost, or ended before there was one; return the line to log, if it is time for one."""
        what = "connection lost" if self._ever else "not connected"
        return self.failed(f"{what}: {why}; trying again", why, now)

    def back(self, now: float) -> str | None:
        """There is a connection; return the line to log, or None for the very first one."""
        since, self._since = self._since, None
        ever, self._ever = self._ever, True
        return f"back after {now - since:.1f} s" if since is not None and ever else None
