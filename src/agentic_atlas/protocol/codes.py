"""The words by which a task says why it has no output, and who may say which.

A skill chooses the code of a rejection; the words here mean something of their own, and nobody else may use them: a
program that reads `agent_lost` has to be able to believe it.
"""

import re
from typing import Final

LONGEST: Final = 64
"""Characters of a code."""
CODE: Final = rf"^[a-z0-9_]{{1,{LONGEST}}}\Z"
"""What a code looks like on the wire (a regular expression)."""

OF_THE_NETWORK: Final = frozenset(
    {
        "agent_deleted",
        "agent_lost",
        "agent_offline",
        "call_circle",
        "invalid_question",
        "outcome_unknown",
        "schema_too_costly",
        "too_many_questions",
    }
)
"""Codes with which the network ends a task by itself; no agent may give them."""
OF_AGENTS: Final = frozenset(
    {
        "canceled",
        "deadline_exceeded",
        "handler_error",
        "invalid_input",
        "invalid_output",
        "no_answer",
        "payload_too_large",
        "timeout",
    }
)
"""Codes with which an agent's SDK ends an attempt; a skill may not reject with them."""

_OTHERS = re.compile(r"[^a-z0-9]+")


def readable(given: str) -> str:
    """Return a code in the form of the wire: lower case, `_` for whatever else is in it; empty when nothing is left."""
    return _OTHERS.sub("_", given.lower()).strip("_")[:LONGEST].strip("_")


def of_rejection(code: str) -> str:
    """Return a rejection's code: `rejected` in place of one that is not the skill's to give."""
    return "rejected" if code in OF_THE_NETWORK or code in OF_AGENTS else code


def of_failure(code: str) -> str:
    """Return a failure's code as an agent may say it: `handler_error` in place of one that is the network's."""
    return "handler_error" if code in OF_THE_NETWORK else code
