"""The one exception tree of the product.

```
AtlasError                    everything this product raises on purpose
├── InvalidInput              the request itself is wrong; sending it again cannot help
│   └── PayloadTooLarge       … because it is larger than a limit in force
├── Unauthenticated           nobody, or nobody we know
├── Forbidden                 known, but not allowed
├── NotFound                  no such thing, or not yours: the two are never told apart
├── Conflict                  it contradicts what is already there
├── Busy                      a limit is reached now; `retry_after` says when to try again
├── Unavailable               a part that is needed does not answer; `retry_after` likewise
├── TaskError                 a task ended without an output (sdk and clients)
├── Rejected                  raised by a skill: the task is not one for it (`sdk.skills.context`)
├── NoAnswer                  nobody answered a skill's question in time (`sdk.skills.questions`)
├── NotFinished               a task was not done in the time that a caller would wait (`sdk.client.errors`)
├── ConfigurationError        a setting, a file or a declaration is wrong; the message names the fix
├── ProtocolError             the peer broke the wire protocol (`protocol.codec`, `protocol.session`)
└── TokenRefused              an agent token that is not accepted (`auth.tokens`)
```

Classes exist for what a caller would handle differently; the precise reason is `code`, a stable word for programs, and
the message is for people: what was wrong and what to do.
"""

from typing import ClassVar


class AtlasError(Exception):
    """Anything this product raises on purpose.

    Attributes:
        code: stable word for programs, for instance `agent_not_found`; listed in the reference.
        message: one or two sentences for people; names the fix where there is one. Never holds a secret.
        detail: JSON-compatible facts, for instance the path of a fault in an input.
    """

    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, detail: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.detail = detail


class InvalidInput(AtlasError):
    """The request itself is wrong; `detail` tells where when that is known."""

    default_code = "invalid_input"


class PayloadTooLarge(InvalidInput):
    """More bytes, items or depth than a limit in force allows."""

    default_code = "payload_too_large"


class Unauthenticated(AtlasError):
    """No credentials, or none that are known."""

    default_code = "unauthenticated"


class Forbidden(AtlasError):
    """The credentials are known and do not allow this."""

    default_code = "forbidden"


class NotFound(AtlasError):
    """There is no such thing, or the caller may not see it; the answer is the same for both (guarantee 12)."""

    default_code = "not_found"


class Conflict(AtlasError):
    """The request contradicts what is already there: a name in use, an idempotency key with another body."""

    default_code = "conflict"


class _TryLater(AtlasError):
    def __init__(
        self, message: str, *, retry_after: float = 1.0, code: str | None = None, detail: object = None
    ) -> None:
        super().__init__(message, code=code, detail=detail)
        self.retry_after = retry_after
        """Seconds after which another try makes sense."""


class Busy(_TryLater):
    """A limit is reached at the moment (HTTP 429)."""

    default_code = "too_many_requests"


class Unavailable(_TryLater):
    """A part that is needed does not answer at the moment (HTTP 503)."""

    default_code = "unavailable"


class TaskError(AtlasError):
    """A task ended `failed`, `canceled` or `rejected`; `code` is the task's own `error.code`."""

    default_code = "failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: object = None,
        task_id: str | None = None,
        state: str = "failed",
    ) -> None:
        super().__init__(message, code=code, detail=detail)
        self.task_id = task_id
        self.state = state


class ConfigurationError(AtlasError):
    """A setting, a file or a declaration is wrong; the message names the fix."""

    default_code = "configuration"
