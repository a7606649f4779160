"""The agents' door: whom the router lets in, and what everybody else is answered."""

import os
import ssl as tls
from collections import Counter
from functools import partial
from http import HTTPStatus

from msgspec.structs import replace

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.auth.proxies import FORWARDED_FOR, NO_PROXY, Proxies
from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import Barred, Identity
from agentic_atlas.protocol.messages import HELLO_BYTES
from agentic_atlas.protocol.session import hello_too_big
from agentic_atlas.protocol.versions import SUBPROTOCOL
from agentic_atlas.router.handshake import (
    HEALTH,
    Verify,
    answer,
    broken,
    check_sender,
    identify,
    refusal,
    too_crowded,
    upgrade,
)
from agentic_atlas.router.router import Router
from agentic_atlas.router.tracing import traced
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.head import Head, HttpAnswer
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.receiver import Terms
from agentic_atlas.transport.server import Listener, Upgrade, listen

_KEPT_OUT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_HEALTHY = HttpAnswer(HTTPStatus.OK, (("Content-Type", "application/json"),), b'{"status":"ok"}')


class AgentDoor:
    """Decides about requests; a `transport.server.Door`. No token and no payload is ever logged.

    Attributes:
        refused: how many handshakes were, by the code of the answer.
    """

    unknown_bytes = HELLO_BYTES + 16 * 1024
    farewell: tuple[int, str] = (CloseCode.GOING_AWAY, "router_is_stopping")

    def __init__(self, router: Router, verify: Verify, hosts: Hosts | None = None, proxies: Proxies = NO_PROXY) -> None:
        """Take whom to let in to, who tells who they are, names that requests may be for, local ones by default, and
        who is believed about where they come from."""
        self.router = router
        self.refused: Counter[str] = Counter()
        self._verify = verify
        self._hosts = Hosts() if hosts is None else hosts
        self._proxies = proxies
        self._log = router.context.log
        self._connect = traced(router.connect, self._log)

    def origin(self, head: Head, peer: str) -> str:
        """See `transport.server.Door`."""
        return self._proxies.origin(peer, head.all(FORWARDED_FOR))

    def answer(self, head: Head, address: str, *, crowded: bool) -> Upgrade | HttpAnswer:
        """See `transport.server.Door`."""
        check_sender(head, self._hosts)
        if head.path == HEALTH and head.method in ("GET", "HEAD"):
            return _HEALTHY
        if crowded:
            raise too_crowded()
        key = upgrade(head)
        identity = Identity("", "", 0.0, address=address)
        try:
            shown = identify(head.all("sec-websocket-protocol"), head.all("authorization"), self._verify)
            identity = replace(shown, address=address)
            self.router.check(identity)
        except AtlasError as error:
            refused = refusal(error)
            if refused.status in _KEPT_OUT:
                barred = Barred(refused.code, address, identity.token_id, identity.agent_id)
                self.router.context.tell(barred)
            raise
        return Upgrade(key, SUBPROTOCOL, partial(self._connect, identity))

    def refuse(self, error: Exception, address: str) -> HttpAnswer:
        """See `transport.server.Door`."""
        if isinstance(error, AtlasError):
            refused = refusal(error)
        else:
            self._log.error("handshake_failed", address=address, exc_info=error)
            refused = broken()
        self.refused[refused.code] += 1
        self._log.info("handshake_refused", code=refused.code, address=address)
        return answer(refused)

    def too_much(self) -> ProtocolError:
        """See `transport.server.Door`."""
        return hello_too_big()

    def left(self, count: int) -> None:
        """See `transport.server.Door`."""
        self._log.warning("connections_left", count=count)


async def serve(
    door: AgentDoor,
    *,
    host: str,
    port: int,
    limiter: ConnectionLimiter,
    crowd: Crowd,
    ssl: tls.SSLContext | None = None,
) -> Listener:
    """Listen for agents on the running loop; see `transport.server.listen`. The router runs already, or is about to.

    Raises:
        ConfigurationError: the address is taken or not this machine's.
    """
    context = door.router.context
    terms = Terms(
        limits=context.limits,
        message_within=context.settings.message_within,
        close_within=context.settings.close_within,
        tls_within=context.settings.tls_within,
        handshake_within=context.settings.handshake_within,
    )
    try:
        return await listen(
            door, terms, host=host, port=port, limiter=limiter, crowd=crowd, clock=context.clock, ssl=ssl
        )
    except OSError as error:
        raise ConfigurationError(
            # The event loop's own text repeats the address.
            f"the router can't listen on {host}:{port} ({os.strerror(error.errno) if error.errno else error}): "
            "stop what uses it, or choose another port with --router-port or ATLAS_ROUTER_PORT",
            code="address_in_use",
        ) from None
