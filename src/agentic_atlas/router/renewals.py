"""Tokens that take the place of those that agents are connected with: those that they ask for on their connections, and
those that a person had made."""

from msgspec.structs import replace

from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import ROTATED, Failure, InstanceRef, Renew, Renewed, Retire
from agentic_atlas.protocol.messages import Fault, Renewal
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.hub import Hub
from agentic_atlas.router.ports import RouterContext

AGAIN = 10.0
"""Seconds after which an agent may ask again when the backend could not answer."""


class Renewals:
    """Asks the backend, one time after the other for each connection, and moves the connection on to the new token."""

    def __init__(self, context: RouterContext, hub: Hub) -> None:
        self._context = context
        self._hub = hub
        self._asked: dict[int, InstanceRef] = {}

    def ask(self, instance: InstanceRef) -> None:
        """An agent asks for a token; nothing while it has been and has no answer, for the answer is the same."""
        connection = self._connection(instance)
        if connection is None or instance in self._asked.values():
            return
        number = next(self._context.numbers)
        self._asked[number] = instance
        self._context.tell(Renew(number, instance, connection.identity.token_id, connection.identity.address))

    def answered(self, answer: Renewed) -> None:
        """The backend answers. A token for a connection that is over is lost with it; the old one is still good."""
        instance = self._asked.pop(answer.to, None)
        connection = None if instance is None else self._connection(instance)
        if connection is None:
            return
        if answer.failure is not None:
            self._context.log.info(
                "token_not_renewed",
                agent=connection.identity.agent_id,
                instance=connection.instance_id,
                code=answer.failure.code,
            )
            connection.send(_refused(answer.failure))
            return
        late = connection.patience.expired(self._context.wall())
        identity = replace(
            connection.identity,
            token_id=answer.token_id,
            expires_at=answer.expires_at,
            lineage=connection.identity.root,
            key_id=answer.key_id,
        )
        self._context.log.info("token_renewed", agent=identity.agent_id, instance=connection.instance_id)
        self._hub.renewed(connection, identity)
        connection.send(Renewal(answer.token, answer.expires_at, answer.renewable))
        if late:
            # It has been told to the backend as one that takes no more work; its next connection does.
            connection.close(CloseCode.RESTART, "token_renewed_late")

    def retire(self, said: Retire) -> None:
        """Other tokens were made in the place of these: tell who is connected with one, and have it end then."""
        for connection in self._hub.with_tokens(said.token_ids):
            retire(connection, said.at)
            connection.patience.look_again(self._context.clock(), self._context.wall())
            if connection.agent is not None:
                refused = Fault(ROTATED, "another token was made in the place of this one")
                connection.send(Renewal(expires_at=connection.identity.ends_at, refused=refused))

    def _connection(self, instance: InstanceRef) -> Connection | None:
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        same = connection is not None and connection.agent is not None and connection.agent.instance == instance
        return connection if same else None


def retire(connection: Connection, at: float) -> None:
    """The connection's token ends then, if it does not before."""
    identity = connection.identity
    connection.identity = replace(identity, retires_at=min(identity.ends_at, at))


def _refused(failure: Failure) -> Renewal:
    later = failure.retry_after
    if later is None and failure.close_code == CloseCode.UNAVAILABLE:
        later = AGAIN
    return Renewal(refused=Fault(failure.code, failure.message), retry_after=later)
