"""Close codes are policy: the range alone tells an agent whether to come back.

1000 and 1001 are ordinary ends (RFC 6455 §7.4), 4000-4099 mean "come back", 4100-4199 mean "not without a change".
The other codes of RFC 6455 (1002, 1007, 1009 …) are what a WebSocket library says of a broken peer or transport; an
agent comes back after those too, with its ordinary back-off.
"""

from enum import IntEnum

import msgspec

_REASON_BYTES = 123
"""The most a close frame can carry beside its code (RFC 6455 §5.5)."""


class CloseCode(IntEnum):
    """Why a connection ended."""

    NORMAL = 1000
    GOING_AWAY = 1001

    RESTART = 4000
    OVERLOAD = 4001
    TIMEOUT = 4002
    DRAIN = 4003
    UNAVAILABLE = 4004
    SLOW_READER = 4005
    TOKEN_IN_USE = 4010

    TOKEN_INVALID = 4101
    TOKEN_EXPIRED = 4102
    TOKEN_REVOKED = 4103
    AGENT_DISABLED = 4104
    REPLACED = 4105
    PROTOCOL_VERSION = 4106
    PROTOCOL_VIOLATION = 4107
    INVALID_REGISTRATION = 4108
    WRONG_AGENT = 4109


class Advice(msgspec.Struct, frozen=True):
    """What a close code means to the person who runs the agent."""

    happened: str
    fix: str


_MAKE_A_NEW_ONE = "create a new one with `atlas tokens create AGENT --env .env`"

ADVICE: dict[CloseCode, Advice] = {
    CloseCode.NORMAL: Advice("the connection was closed", "nothing to do"),
    CloseCode.GOING_AWAY: Advice("the router went away", "nothing to do: the agent comes back by itself"),
    CloseCode.RESTART: Advice("the router restarts", "nothing to do: the agent comes back by itself"),
    CloseCode.OVERLOAD: Advice("the router is overloaded", "the agent slows down and comes back by itself"),
    CloseCode.TIMEOUT: Advice("the router heard nothing from this agent in time", "the agent comes back by itself"),
    CloseCode.DRAIN: Advice("the router is being shut down", "the agent comes back by itself when it is up again"),
    CloseCode.UNAVAILABLE: Advice("the router can't reach the backend", "the agent comes back by itself"),
    CloseCode.SLOW_READER: Advice(
        "this agent did not read what the router sent",
        "free the machine's CPU; the agent comes back by itself",
    ),
    CloseCode.TOKEN_IN_USE: Advice(
        "another process is connected with the same token",
        "stop that process, or create a token of its own for this one: atlas tokens create AGENT",
    ),
    CloseCode.TOKEN_INVALID: Advice(
        "the router does not accept this token",
        _MAKE_A_NEW_ONE,
    ),
    CloseCode.TOKEN_EXPIRED: Advice(
        "the token has expired",
        _MAKE_A_NEW_ONE,
    ),
    CloseCode.TOKEN_REVOKED: Advice(
        "the token has been revoked",
        _MAKE_A_NEW_ONE,
    ),
    CloseCode.AGENT_DISABLED: Advice(
        "this agent or its owner is disabled, or it was deleted",
        "have its owner enable it (`atlas agents enable AGENT`), or an administrator its owner (`atlas users enable "
        "USER`); one that was deleted has to be created anew",
    ),
    CloseCode.REPLACED: Advice("another process took over with the same token", "give each process a token of its own"),
    CloseCode.PROTOCOL_VERSION: Advice(
        "agent and router speak different protocol versions", "update agentic-atlas on the older side"
    ),
    CloseCode.PROTOCOL_VIOLATION: Advice(
        "the agent sent something the protocol does not allow", "update agentic-atlas; if it stays, report it"
    ),
    CloseCode.INVALID_REGISTRATION: Advice(
        "the router does not accept what this agent declares", "correct the skill that the message names"
    ),
    CloseCode.WRONG_AGENT: Advice(
        "this token is for another agent",
        "put a token of the agent that the code declares into .env (`atlas tokens create AGENT`), or start the code of "
        "the token's agent",
    ),
}


class CloseReason(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON in a close frame's reason: a precise code, and when to come back."""

    code: str = ""
    retry_after: float | None = None
    """Seconds the peer asks for before the next try."""
    message: str = ""
    """What was wrong, where the code alone does not tell; cut to what fits into the frame."""


def comes_back(code: int) -> bool:
    """Tell whether an agent closed with this code should connect again without a person changing something."""
    return code != CloseCode.NORMAL and not 4100 <= code <= 4199


def encode_reason(code: str, retry_after: float | None = None, message: str = "") -> bytes:
    """Return the reason of a close frame: at most 123 bytes of JSON; the message is cut until it fits."""
    while True:
        encoded = msgspec.json.encode(CloseReason(code, retry_after, message))
        if len(encoded) <= _REASON_BYTES:
            return encoded
        if not message:
            return msgspec.json.encode(CloseReason("", retry_after))
        message = message[: len(message) - max(1, (len(encoded) - _REASON_BYTES) // 4)]


def decode_reason(reason: bytes) -> CloseReason:
    """Read a close frame's reason; anything that is not ours reads as an empty one."""
    try:
        return msgspec.json.decode(reason, type=CloseReason)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return CloseReason()
