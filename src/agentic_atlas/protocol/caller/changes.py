"""What changed, as whoever has pages open is told of it: enough to know what to look at again."""

from agentic_atlas.protocol.caller.values import Shown


class ChangedTask(Shown, frozen=True, kw_only=True):
    """A task as it is by now."""

    id: str
    agent: str
    skill: str
    state: str
    seq: int
    """Of its last event."""


class ChangedAgent(Shown, frozen=True, kw_only=True):
    """An agent as it is by now: other instances, tasks, or something else that is shown of it."""

    id: str
    name: str
    """In full."""
    status: str
    """`online`, `offline`, `disabled`, or `gone`."""
    instances: int
    """How many of it are connected."""


class ChangeSignal(Shown, frozen=True, kw_only=True, omit_defaults=True):
    """What changed since the one before, of what somebody sees."""

    seq: int
    """Grows with what is seen to change; what was looked at when it was at least as high shows all of these."""
    everything: bool = False
    """There is no saying what changed: all may be different."""
    tasks: tuple[ChangedTask, ...] = ()
    agents: tuple[ChangedAgent, ...] = ()
    tokens: tuple[str, ...] = ()
    """Full names of the agents whose tokens changed, of those whom the caller manages."""
    questions: bool = False
    """A task asked something, was answered, or needs no answer any more."""
    account: bool = False
    """What the caller comes in by: sessions, API keys, password, groups."""
    people: bool = False
    """That of somebody, users or groups themselves; for who manages them."""
    audit: bool = False
    """The audit log has further rows; for who reads it."""

    @property
    def says(self) -> bool:
        """Whether there is anything."""
        which = self.tasks or self.agents or self.tokens
        return bool(self.everything or which or self.questions or self.account or self.people or self.audit)
