"""Opening a connection to the router, with the token of that moment."""

import re
import ssl
from collections.abc import Callable

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.versions import SUBPROTOCOL
from agentic_atlas.sdk.encrypted import speaks_tls
from agentic_atlas.sdk.link.refusals import HungUp, NotARouter, Unreachable, os_error, refusal
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.transport import client
from agentic_atlas.transport.receiver import Receiver, Terms
from agentic_atlas.transport.websocket import WebSocket

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")
"""RFC 6750 section 2.1."""


class Dialer:
    """Opens connections to one address."""

    def __init__(self, url: str, *, clock: Callable[[], float], timeouts: Timeouts, tls: ssl.SSLContext | None) -> None:
        self._url = url
        self._clock = clock
        self._timeout = timeouts.connect
        self._terms = Terms(Limits(), message_within=timeouts.message, close_within=timeouts.close)
        self._tls = tls
        self._secure = url.lower().startswith("wss:")

    async def connect(self, token: str, receiver: Receiver) -> WebSocket:
        """Open a connection.

        Raises:
            Unreachable: nobody answers at that address, or not in time.
            NotARouter: what answers there does not speak our protocol.
            HandshakeRefused: the router does not let this agent in; with the router's own code and message.
            ConfigurationError: the token is no token: sent as a header, it would be more than one.
        """
        if not _TOKEN.fullmatch(token):
            raise ConfigurationError("the token has characters that no token has: copy it again")
        try:
            return await self._attempt(token, receiver)
        except (HungUp, NotARouter):
            if not self._secure and await speaks_tls(self._url):
                raise NotARouter("it speaks TLS: use wss://") from None
            raise

    async def _attempt(self, token: str, receiver: Receiver) -> WebSocket:
        websocket = WebSocket(lambda _: receiver, self._terms, self._clock)
        try:
            await client.dial(
                self._url,
                websocket,
                subprotocol=SUBPROTOCOL,
                headers={"Authorization": f"Bearer {token}"},
                within=self._timeout,
                tls=self._context(),
            )
        except TimeoutError:
            raise Unreachable(f"no answer within {self._timeout:g} s") from None
        except OSError as error:
            raise os_error(error) from None
        except client.NotOpened as error:
            raise refusal(error) from None
        return websocket

    def _context(self) -> ssl.SSLContext | None:
        if self._secure and self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls if self._secure else None
