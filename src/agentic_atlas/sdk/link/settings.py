"""What the link is given: the times that it keeps, and what it takes of the world outside."""

import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from agentic_atlas.sdk.lines.outlet import Outlet
from agentic_atlas.sdk.resources.measuring import Sample
from agentic_atlas.sdk.resources.pausing import PauseRules
from agentic_atlas.sdk.resources.sampling import Sampler
from agentic_atlas.sdk.spool.port import Spool


class Timeouts(msgspec.Struct, frozen=True):
    """How long things may take, and how often they happen. In seconds; tests make them short.

    What the router decides (beats) is in its `welcome`.
    """

    tick: float = 0.5
    """Between two looks at the clock and at the handlers' loop."""
    connect: float = 10.0
    """For a whole try: name, socket, TLS and the answer to the handshake."""
    welcome: float = 15.0
    """From `hello` to `welcome`."""
    message: float = 30.0
    """From a message's first fragment to its last."""
    close: float = 2.0
    """For the other side to answer a close."""
    silent_beats: float = 2.0
    """A connection with no answer for this many beats is dead."""
    probe: float = 3.0
    """For the answer to a beat that was sent because the clock jumped."""
    jump: float = 5.0
    """The clocks disagree by more than this: the machine slept."""
    lag: float = 2.0
    """The handlers' loop is later than this: it is blocked, and gets no new work."""
    lag_again: float = 30.0
    """Between two warnings about the same blocked loop."""
    stable: float = 60.0
    """A connection that lasted this long makes the next back-off start afresh."""
    in_use: float = 30.0
    """Between two tries while another process uses the token."""
    watch: float = 2.0
    """Between two looks for another token, while there is none that is let in."""
    shut_out: float = 30.0
    """Between two tries of an agent that is disabled, at the most; the first waits are shorter."""
    tell_again: float = 60.0
    """Between two lines in the log while there is no connection."""


@dataclass(frozen=True)
class Runtime:
    """Clocks, randomness, trust, a disk and limits: the real ones, unless a test brings its own."""

    clock: Callable[[], float] = time.monotonic
    """Seconds; never goes back."""
    wall: Callable[[], float] = time.time  # noqa: TID251 - this is where the link's wall clock is taken from
    """Seconds since the epoch, as this machine believes."""
    random: Callable[[], float] = random.random
    """Numbers in [0, 1), for the jitter of the back-off."""
    tls: ssl.SSLContext | None = None
    """Whom to trust, for `wss://`; None: those whom Python trusts (`ssl.create_default_context`)."""
    spool: Spool = field(default_factory=Spool)
    """Keeps results beyond the end of this process; used on the link's thread only."""
    pauses: PauseRules = field(default_factory=PauseRules)
    """When no new tasks are taken."""
    look: Callable[[Callable[[], float]], Callable[[], Sample]] = Sampler
    """Makes what looks at the process and its machine, of the clock; used on the link's thread only."""
    outlet: Outlet | None = None
    """Where the lines of the agent's log are that are to be sent; None: none are."""
