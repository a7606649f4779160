"""What the person who runs the agent is told about the connection: what happened, what to do, and how often.

One line when it goes, one when it is back, and a few while it is away, however many tries there are.
"""

from dataclasses import dataclass
from enum import Enum

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import ADVICE, Advice, CloseCode, comes_back, decode_reason
from agentic_atlas.sdk.link.dial import HandshakeRefused, NotARouter, Unreachable, plain
from agentic_atlas.transport.receiver import Closed

_ROTATED_CODE = "token_rotated"
_SHUT_OUT = {
    "token_revoked": CloseCode.TOKEN_REVOKED,
    _ROTATED_CODE: CloseCode.TOKEN_REVOKED,
    "key_withdrawn": CloseCode.TOKEN_REVOKED,
    "agent_disabled": CloseCode.AGENT_DISABLED,
    "agent_deleted": CloseCode.AGENT_DISABLED,
    "owner_disabled": CloseCode.AGENT_DISABLED,
}
"""Why a handshake is refused for which a connection may be closed as well: the same sentence for both."""
_ROTATED = Advice(
    "the token was rotated",
    f"put the one that came in its place into .env, or {ADVICE[CloseCode.TOKEN_REVOKED].fix}",
)
_EXPIRED = CloseCode.TOKEN_EXPIRED.name.lower()
_KNOWN_OTHERWISE = Advice(
    "this process is known to the router by another token, which is still good",
    "revoke that one (`atlas tokens list AGENT` has it), or start the process again",
)
_UNKNOWN_FIX = "update agentic-atlas; if it stays, ask whoever runs the router"
_EXPLAINED = (CloseCode.INVALID_REGISTRATION, CloseCode.WRONG_AGENT)
"""Codes whose reason has a message that says more."""
_HIDDEN = {code.name.lower() for code in CloseCode}
"""Codes of a close reason that say no more than the close code does."""


class Remedy(Enum):
    """What has an agent come back that was refused for good."""

    NONE = "none"
    """Nothing: the agent ends."""
    ANOTHER_TOKEN = "another_token"  # noqa: S105 - no token
    """Another token: the agent waits for one."""
    ENABLING = "enabling"
    """Its owner enables it: the agent asks now and then."""


_OF_TOKEN = (CloseCode.TOKEN_INVALID, CloseCode.TOKEN_EXPIRED, CloseCode.TOKEN_REVOKED)


@dataclass(frozen=True)
class KeptOut:
    """An answer of the router's after which there is no point in coming back as before.

    Attributes:
        error: what the agent would end with.
        code: the close code that says the same, where it is one of ours.
    """

    error: AtlasError
    code: CloseCode | None = None

    @property
    def of_token(self) -> bool:
        """Whether it is the token that was refused, so that another one may be let in."""
        return self.code in _OF_TOKEN

    @property
    def happened(self) -> str:
        """What is wrong with the token, in a few words."""
        return _advice(self.code or CloseCode.TOKEN_INVALID, self.error.code).happened

    def since(self, first: "KeptOut | None") -> "KeptOut":
        """Return why the agent is kept out in truth, after another token was refused first: one from before it that
        has expired meanwhile says nothing of what a person did."""
        return self if first is None or self.code is not CloseCode.TOKEN_EXPIRED else first

    def remedy(self, *, known: bool) -> Remedy:
        """Return what is waited for; `known`: it was let in before, so it was not started wrongly."""
        if self.code is CloseCode.AGENT_DISABLED:
            return Remedy.ENABLING
        return Remedy.ANOTHER_TOKEN if self.of_token and (known or self.code != _OF_TOKEN[0]) else Remedy.NONE


def final(closed: Closed) -> KeptOut | None:
    """Return why the agent is not to come back as it is, or None when it is to come back."""
    if closed.ours or comes_back(closed.code):
        return None
    known = _known(closed.code)
    if known is CloseCode.NORMAL:
        return KeptOut(AtlasError("the router closed the connection for good", code="closed"))
    return KeptOut(ConfigurationError(_sentence(closed, fix=True), code=_code(closed)), known)


def refused_for_good(refused: HandshakeRefused) -> KeptOut:
    """Return what a handshake means that will be refused again with the same token."""
    shut_out = _SHUT_OUT.get(refused.code)
    if shut_out is not None:
        told = _advice(shut_out, refused.code)
        return KeptOut(ConfigurationError(f"{told.happened}: {told.fix}", code=refused.code), shut_out)
    advice = "" if "atlas tokens" in refused.message else f"; {ADVICE[CloseCode.TOKEN_INVALID].fix}"
    error = ConfigurationError(f"the router refuses this agent: {refused.message}{advice}", code=refused.code)
    return KeptOut(error, CloseCode.TOKEN_EXPIRED if refused.code == _EXPIRED else CloseCode.TOKEN_INVALID)


def waiting(refusal: KeptOut) -> str:
    """Return the line for an agent that stays away until something changes."""
    return f"{refusal.error.message}. The agent waits, and comes back by itself then."


def reason(closed: Closed) -> str:
    """Return why a connection was lost, in a few words."""
    if closed.why:
        return closed.why
    if closed.code in (1005, 1006):
        return "it was cut"
    if closed.code != CloseCode.TOKEN_IN_USE:
        return _sentence(closed, fix=False)
    if decode_reason(closed.reason).code == "instance_exists":
        return f"{_KNOWN_OTHERWISE.happened}: {_KNOWN_OTHERWISE.fix}"
    return _sentence(closed, fix=True)


def retry_after(closed: Closed) -> float | None:
    """Return the seconds the router asks to wait before the next try, or None."""
    return decode_reason(closed.reason).retry_after


def unreachable(url: str, why: AtlasError) -> str:
    """Return the sentence for a router that was never reached."""
    if isinstance(why, HandshakeRefused):
        return f"the router at {url} refuses for now ({why.message}). Trying again."
    if isinstance(why, NotARouter):
        return f"no router answers at {url} ({why.message}): is ROUTER_WS_URL right? Trying again."
    if isinstance(why, Unreachable) and why.untrusted:
        return f"can't reach the router at {url}: {why.message}. Trying again."
    asked = "is ROUTER_WS_URL right" if isinstance(why, Unreachable) and why.unknown else "is `atlas up` running"
    return f"can't reach the router at {url} ({why.message}): {asked}? Trying again."


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

    def kept_out(self, now: float) -> None:
        """The agent waits for a change; that is said by others, and nothing of it again."""
        if self._since is None:
            self._since = now

    def back(self, now: float) -> str | None:
        """There is a connection; return the line to log, or None for the very first one."""
        since, self._since = self._since, None
        ever, self._ever = self._ever, True
        return f"back after {now - since:.1f} s" if since is not None and ever else None


def _sentence(closed: Closed, *, fix: bool) -> str:
    known, told = _known(closed.code), decode_reason(closed.reason)
    if known is None:
        happened, remedy = f"the router ended the connection with code {closed.code}", _UNKNOWN_FIX
    else:
        advice = _advice(known, told.code)
        happened, remedy = advice.happened, advice.fix
    detail = plain(told.message) if known in _EXPLAINED and told.message else plain(told.code)
    said = f"{happened} ({detail})" if detail and detail not in (*_HIDDEN, _ROTATED_CODE) else happened
    return f"{said}: {remedy}" if fix else said


def _advice(code: CloseCode, precise: str | None) -> Advice:
    return _ROTATED if precise == _ROTATED_CODE else ADVICE[code]


def _code(closed: Closed) -> str:
    known = _known(closed.code)
    return plain(decode_reason(closed.reason).code) or (known.name.lower() if known else f"closed_{closed.code}")


def _known(code: int) -> CloseCode | None:
    return CloseCode(code) if code in CloseCode._value2member_map_ else None
