"""Which policy a task gets: its skill's, with what its caller asks for where that is safe.

The author of a skill knows what may happen twice, a caller does not: a caller may be stricter, never laxer.
"""

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import Delivery, Policy


class Wishes(msgspec.Struct, frozen=True):
    """What a caller asks for; None leaves it to the skill."""

    delivery: Delivery | None = None
    max_attempts: int | None = None
    retries: int | None = None
    timeout: float | None = None


def effective(policy: Policy, wishes: Wishes) -> Policy:
    """Return the policy of one task.

    Raises:
        InvalidInput: it would run a skill twice that must not (`unsafe_policy`).
    """
    if policy.delivery is Delivery.AT_MOST_ONCE and wishes.delivery is Delivery.AT_LEAST_ONCE:
        raise _unsafe("its author says that this skill must not run twice: leave out `delivery`")
    delivery = wishes.delivery or policy.delivery
    once = delivery is Delivery.AT_MOST_ONCE
    if once and wishes.retries:
        raise _unsafe("at_most_once and retries contradict each other: leave out `retries`")
    return Policy(
        delivery=delivery,
        max_attempts=policy.max_attempts if wishes.max_attempts is None else wishes.max_attempts,
        retries=0 if once else policy.retries if wishes.retries is None else wishes.retries,
        backoff=policy.backoff,
        timeout=policy.timeout if wishes.timeout is None else wishes.timeout,
    )


def _unsafe(message: str) -> InvalidInput:
    return InvalidInput(message, code="unsafe_policy")
