"""What the backend says of attempts, tokens and agents, carried out."""

from collections.abc import Mapping

from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import (
    Abandon,
    Adopt,
    Audit,
    Deliver,
    Forget,
    Readmit,
    Replied,
    Revoke,
    ShutOut,
    Stop,
    Tell,
    Unleased,
    Waiting,
)
from agentic_atlas.protocol.messages import Answer, Cancel, RunningAttempt
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.context import RouterContext
from agentic_atlas.router.entrance import Entrance
from agentic_atlas.router.hub import Hub
from agentic_atlas.router.leases import ExpiredLeases, Leases
from agentic_atlas.router.registration import Registration

_LINE = 1024
"""Longest reason of a cancel (`messages.Line`)."""


class Commands:
    """One method for each message; see there for what it means."""

    def __init__(
        self,
        context: RouterContext,
        connections: Mapping[int, Connection],
        hub: Hub[Connection],
        leases: Leases,
        expired: ExpiredLeases,
        registration: Registration,
        entrance: Entrance,
    ) -> None:
        """Take what the router knows; `connections` are the open ones by their serial number."""
        self._context = context
        self._connections = connections
        self._hub = hub
        self._leases = leases
        self._expired = expired
        self._registration = registration
        self._entrance = entrance

    def deliver(self, said: Deliver) -> None:
        """Send an attempt, now or when its instance comes back."""
        task, instance = said.task, said.instance
        attempt = RunningAttempt(task.task, task.attempt)
        coming = self._hub.coming(instance.agent_id, instance.instance_id)
        if coming is not None:
            self._registration.meanwhile(coming, task)
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        if connection is None or connection.agent is None:
            self._leases.keep(attempt, instance.instance_id, self._context.clock() + self._context.settings.grace)
        else:
            self._leases.hold(attempt, instance.instance_id, connection.serial, connection.identity.token_id)
            # What was granted to an older connection uses up nothing of this one's.
            connection.deliver(task, granted=instance == connection.agent.instance)

    def stop(self, said: Stop) -> None:
        """Ask the holder to stop."""
        self._tell_holder(Cancel(said.task, said.attempt, said.reason[:_LINE]))

    def tell(self, said: Tell) -> None:
        """Tell the holder what became of its question."""
        self._tell_holder(Answer(said.task, said.attempt, said.reaction))

    def forget(self, said: Forget) -> None:
        """Give up the lease."""
        self._leases.drop(RunningAttempt(said.task, said.attempt))

    def abandon(self, said: Abandon) -> None:
        """Give up slot and lease; should the instance have the attempt all the same, it is to stop it."""
        attempt = RunningAttempt(said.task, said.attempt)
        for connection in self._hub.everyone():
            if connection.agent is not None and connection.agent.abandon(attempt):
                if self._leases.holder(attempt) == connection.serial:
                    self._leases.drop(attempt)
                connection.tell(Cancel(said.task, said.attempt, "the agent's beats do not name it"))

    def adopt(self, said: Adopt) -> None:
        """Keep the attempt for an instance that is not connected."""
        grace = self._context.settings.grace
        attempt = RunningAttempt(said.task, said.attempt)
        self._leases.keep(attempt, said.instance_id, self._context.clock() + grace, Loss.ABSENT)
        self._context.backend.say(Waiting((said.instance_id,), grace))

    def revoke(self, said: Revoke) -> None:
        """Close the connections of these tokens."""
        for token_id in said.token_ids:
            self._entrance.revoke(token_id, said.reason)
        for connection in self._hub.with_tokens(said.token_ids):
            connection.close(CloseCode.TOKEN_REVOKED, said.reason)

    def shut_out(self, said: ShutOut) -> None:
        """Close the agent's connections."""
        self._entrance.shut_out(said.agent_id, said.reason, self._context.clock())
        for connection in self._hub.of_agent(said.agent_id):
            connection.close(CloseCode.AGENT_DISABLED, said.reason)

    def readmit(self, said: Readmit) -> None:
        """Let the agent in again."""
        self._entrance.readmit(said.agent_id)

    def reply(self, said: Replied) -> None:
        """Answer a call on the connection on which it was made."""
        connection = self._hub.find(said.instance.agent_id, said.instance.instance_id)
        if connection is not None and connection.agent is not None and connection.agent.instance == said.instance:
            connection.agent.reply(said.reply)

    def audit(self, said: Audit) -> None:
        """Say which of these attempts nobody would miss."""
        self._context.backend.say(Unleased(tuple(one for one in said.attempts if not self._leased(one))))

    def _leased(self, attempt: RunningAttempt) -> bool:
        return self._leases.instance(attempt) is not None or attempt in self._expired

    def _tell_holder(self, message: Cancel | Answer) -> None:
        """Say this to whoever holds the attempt, and to whoever is on its way to hold it.

        One that is away learns it from the backend when it comes back.
        """
        attempt = RunningAttempt(message.task, message.attempt)
        holder = self._connections.get(self._leases.holder(attempt) or 0)
        if holder is not None:
            holder.tell(message)
        instance_id = self._leases.instance(attempt)
        for connection in self._hub.on_their_way():
            if connection.instance_id == instance_id:
                self._registration.meanwhile(connection, message)
