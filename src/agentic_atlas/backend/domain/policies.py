"""Which policy a task gets: its skill's, with what its caller asks for where that is safe.

The author of a skill knows what may happen twice, a caller does not: a caller may be stricter, never laxer.
"""

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.tasks import TaskOptions
from agentic_atlas.protocol.messages import Delivery, Policy


def effective(policy: Policy, asked: TaskOptions) -> Policy:
    """Return the policy of one task; what its caller leaves out is the skill's.

    Raises:
        InvalidInput: it would run a skill twice that must not (`unsafe_policy`).
    """
    if policy.delivery is Delivery.AT_MOST_ONCE and asked.delivery == "at_least_once":
        raise _unsafe("its author says that this skill must not run twice: leave out `delivery`")
    delivery = Delivery(asked.delivery or policy.delivery)
    once = delivery is Delivery.AT_MOST_ONCE
    if once and asked.retries:
        raise _unsafe("at_most_once and retries contradict each other: leave out `retries`")
    return Policy(
        delivery=delivery,
        max_attempts=policy.max_attempts if asked.max_attempts is None else asked.max_attempts,
        retries=0 if once else policy.retries if asked.retries is None else asked.retries,
        backoff=policy.backoff,
        timeout=policy.timeout if asked.timeout is None else asked.timeout,
    )


def _unsafe(message: str) -> InvalidInput:
    return InvalidInput(message, code="unsafe_policy")
