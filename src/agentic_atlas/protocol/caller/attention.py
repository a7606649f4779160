"""What waits for a person to do something."""

from datetime import datetime

from agentic_atlas.protocol.caller.values import Shown


class AttentionItem(Shown, frozen=True, kw_only=True):
    """One thing that somebody should look at."""

    kind: str
    """`question`, `token`, `agent` or `finding`."""
    subject: str
    """What it is about: the id of a task, `owner/name` of an agent, the name of an invariant, or `audit_broken`."""
    since: datetime | None
    """When it began; null where that is not known."""
    until: datetime | None
    """When it is too late; null where it waits for as long as it takes."""
    what: str
    """What is so, in a sentence."""
    todo: str
    """What to do about it."""
