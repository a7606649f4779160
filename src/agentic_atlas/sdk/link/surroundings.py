"""What the link takes from outside: clocks, randomness, trust and a disk."""

import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agentic_atlas.sdk.spool.port import NoSpool, Spool


@dataclass(frozen=True)
class Surroundings:
    """The real ones, unless a test brings its own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds; never goes back."""
    wall: Callable[[], float] = time.time  # noqa: TID251 - this is where the link's wall clock is taken from
    """Seconds since the epoch, as this machine believes."""
    random: Callable[[], float] = random.random
    """Numbers in [0, 1), for the jitter of the back-off."""
    tls: ssl.SSLContext | None = None
    """Whom to trust, for `wss://`; None: those whom Python trusts (`ssl.create_default_context`)."""
    spool: Spool = field(default_factory=NoSpool)
    """Keeps results beyond the end of this process; used on the link's thread only."""
