"""How patient the router is. Seconds, unless a name says bytes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RouterSettings:
    """The defaults are those of the design; a test may be less patient."""

    max_connections: int = 20_000
    """Most connections of agents at the same time."""
    max_connections_per_address: int = 0
    """Most of them from one address; 0: no limit of its own."""
    beat_every: float = 10.0
    """Time between two heartbeats of an agent, told in `welcome`; a connection that is silent for two of them is
    dead."""
    silent_beats: float = 2.0
    """Beats after which a silent connection counts as dead: one may come late by almost a whole interval."""
    grace: float = 30.0
    """How long a cut connection keeps its tasks; told in `welcome`."""
    tls_within: float = 10.0
    """For the TLS handshake."""
    handshake_within: float = 5.0
    """From the accepted connection, or the end of its TLS handshake, to the whole request."""
    hello_within: float = 5.0
    """From the handshake to `hello`."""
    admit_within: float = 10.0
    """For the backend's answer to a `hello`."""
    report_within: float = 30.0
    """For the backend to store what an agent reported."""
    ping_old: float = 2.0
    """How long an older connection with the same token has to show that it is alive."""
    token_drain: float = 30.0
    """How long an agent whose token has expired may go on with what it has in hand; it gets no new work."""
    token_in_use_again: float = 30.0
    """When an instance may try again whose token another one uses."""
    max_lag: float = 2.0
    """How late an agent's handlers' loop may be before it gets no new work."""
    busy_pause: float = 1.0
    """How long an instance gets no new work that has just refused some because it is busy."""
    stalled: float = 20.0
    """How long what waits to be sent may not get less before a connection counts as one that does not read."""
    send_buffer: int = 8 * 1024 * 1024
    """Bytes that may wait to be sent on a connection, or two of the longest messages when that is more: at half of it
    nothing more is read from the agent and no further task is put in, over it the connection is closed."""
    log_lines_per_second: int = 2_000
    """Lines of its log that are taken of one agent in a second, as they come; what is more waits with the agent, which
    drops and counts what it has no room for. 0: none are taken of any agent."""
    log_bytes_per_second: int = 1024 * 1024
    """Bytes of the same."""
    log_buffer: int = 32 * 1024 * 1024
    """Bytes of log lines of all agents that may wait for the backend to keep them; with more, agents are told to send
    theirs again a second later."""
    heavy: float = 0.002
    """A message that keeps everybody else waiting for longer has its connection rest for four times as long. One of
    megabytes is looked at in one step and read in another, and it rests between them too."""
    longest_rest: float = 1.0
    """How long such a connection rests at the most."""
    lost_again: float = 5.0
    """When a lost attempt is reported again that the backend could not take."""
    message_within: float = 10.0
    """From a message's first fragment to its last."""
    close_within: float = 2.0
    """For the peer's part in a close, and to read what was sent before it."""
    tick: float = 0.5
    """How often the router looks which deadlines are over, and at a connection on which something waits to be sent."""
