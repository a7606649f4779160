"""What browsers keep for us: the secret of a session, and of the device itself, which is known at the next log-in.

Behind TLS their names begin with `__Host-`, so that no other host of the same domain can set them, and they are never
sent in clear. Scripts see none of them, and no page of another site has them sent along but by a link that is followed.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from agentic_atlas.auth.hosts import OWN_PAGE
from agentic_atlas.backend.accounts import REMEMBERED
from agentic_atlas.backend.domain.people import Entered, Visitor
from agentic_atlas.errors import Forbidden
from agentic_atlas.http.messages import Request

SESSION: Final = "atlas_session"
DEVICE: Final = "atlas_device"
SIGN_ON: Final = "atlas_oidc"
BACK: Final = "atlas_back"
_HOST: Final = "__Host-"
_SAFE: Final = ("GET", "HEAD")
_NAVIGATION: Final = ["navigate"]
_TLS_ALONE: Final = [("strict-transport-security", f"max-age={365 * 86_400}")]

SetCookie = tuple[str, str]
"""A field of the head."""


class Cookies:
    """How they are read and written.

    Args:
        public_url: the API's address as others see it, if it has one.
        tls: it speaks TLS itself.

    Attributes:
        behind_tls: some come over TLS whose head does not say so.
    """

    def __init__(self, public_url: str = "", *, tls: bool = False) -> None:
        self._tls = tls
        address = urlsplit(public_url)
        self._public = f"{address.scheme}://{address.netloc}"
        self._tls_host = (address.hostname or "") if address.scheme == "https" else ""
        self.behind_tls = tls or bool(self._tls_host)

    def visitor(self, request: Request) -> Visitor:
        """Return what is known of who sent a request."""
        return Visitor(
            address=request.address,
            agent=request.first("user-agent") or "",
            session=self.value(request, SESSION),
            device=self.value(request, DEVICE),
        )

    def value(self, request: Request, name: str) -> str:
        """Return the value of a cookie; nothing when there is none, or when several have the name.

        Of two with one name, one would be another host's, and nobody knows which.
        """
        found: dict[str, list[str]] = {}
        for one in ";".join(request.all("cookie")).split(";"):
            said, _, value = one.strip().partition("=")
            found.setdefault(said, []).append(value)
        values = found.get(_HOST + name) or ([] if self.secure(request) else found.get(name, []))
        return values[0] if len(values) == 1 else ""

    def secure(self, request: Request) -> bool:
        """Tell whether the browser has sent it over TLS, maybe to a proxy; it says so of its page."""
        if self._tls:
            return True
        origin = request.first("origin")
        if origin is not None:
            return origin.startswith("https://")
        return bool(self._tls_host) and request.hostname == self._tls_host

    def tls_alone(self, request: Request) -> Sequence[tuple[str, str]]:
        """Return what has a browser that came over TLS come to this host in no other way for a year (RFC 6797).

        Nothing for `localhost`: that is of all programs on a machine, whatever their port, and most have no TLS.
        """
        if not self.secure(request):
            return []
        host = request.hostname.removesuffix(".")
        return [] if host == "localhost" or host.endswith(".localhost") else _TLS_ALONE

    def entered(self, request: Request, entered: Entered) -> tuple[SetCookie, SetCookie]:
        """Return what has the browser of a new session keep its secrets."""
        lasts = entered.session.ends_at - entered.session.created_at
        return self.kept(request, SESSION, entered.secret, lasts), self.kept(
            request, DEVICE, entered.device, REMEMBERED
        )

    def kept(self, request: Request, name: str, value: str, seconds: float) -> SetCookie:
        """Return what has the browser keep a value for so long; for none at all, what has it forget the name."""
        secure = self.secure(request)
        named = (_HOST if secure else "") + name
        more = "; Secure" if secure else ""
        return "set-cookie", f"{named}={value}; Path=/; Max-Age={int(seconds)}; HttpOnly; SameSite=Lax{more}"

    def check_own_page(self, request: Request) -> None:
        """Let a request with a session pass that a page of ours sent, or a link that somebody followed.

        A page at another port of the same host has the same cookies, and is none of ours.

        Raises:
            Forbidden: another page sent it, or it changes something and does not say where it comes from
                (`cross_site`).
        """
        origins, sites = request.all("origin"), request.all("sec-fetch-site")
        safe = request.method in _SAFE
        followed = safe and list(request.all("sec-fetch-mode")) == _NAVIGATION
        if not all(self._own(origin, request) for origin in origins) or not (followed or OWN_PAGE.issuperset(sites)):
            raise Forbidden("a web page of another site may not act here", code="cross_site")
        if not safe and not sites and not origins:
            raise Forbidden(
                "what changes something in a session has to say Origin or Sec-Fetch-Site", code="cross_site"
            )

    def _own(self, origin: str, request: Request) -> bool:
        return origin == self._public or origin.partition("://")[2].lower() == request.host.lower()
