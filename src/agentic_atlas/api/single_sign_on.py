"""Routes of single sign-on: a browser is sent to the identity provider, and comes back logged in.

And of identities, as which providers know people here.
"""

from http import HTTPStatus
from typing import Annotated, TypeAlias
from urllib.parse import quote, unquote

from pydantic import Field

from agentic_atlas.backend.accounts import SIGN_ON_LIFETIME
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import identities, single_sign_on
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import identity_info
from agentic_atlas.errors import AtlasError
from agentic_atlas.http.cookies import BACK, SIGN_ON, Cookies
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.return_path import Next, return_path
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.whereabouts import LOGIN_PAGE, Whereabouts
from agentic_atlas.protocol.caller.accounts import IdentityChange, IdentityList, LoggedOut, SignOnAddress

routes = RouteGroup("sessions")

Given: TypeAlias = Annotated[str, Field(max_length=4_096)]


@routes.at("GET", f"{LOGIN_PAGE}/oidc", status=HTTPStatus.SEE_OTHER)
async def begin(
    request: Request,
    application: Application,
    cookies: Cookies,
    where: Whereabouts,
    next: Next = "",  # as the query has it
) -> Response:
    """Log in at the identity provider: a browser is sent there, and to `next` afterwards. Needs no API key."""
    back = where.callback(request.host)
    try:
        address, secret = await single_sign_on.begin(None, application, back, cookies.visitor(request))
    except AtlasError as error:
        return _to_page(error)
    kept = cookies.kept(request, SIGN_ON, secret, SIGN_ON_LIFETIME)
    path = cookies.kept(request, BACK, quote(return_path(next)), SIGN_ON_LIFETIME)
    return Response(HTTPStatus.SEE_OTHER, [("location", address), *_PRIVATE, kept, path])


@routes.at("POST", "/api/v1/users/me/identities", answers=SignOnAddress)
async def begin_link(
    body: IdentityChange,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
    where: Whereabouts,
) -> Response:
    """Have oneself known by what the identity provider calls one: the answer says where the browser goes next.

    It is another way in, and needs one's password; who has none has to have logged in within the last ten minutes.
    """
    back, visitor = where.callback(request.host), cookies.visitor(request)
    address, secret = await single_sign_on.begin_link(who, application, body.password, back, visitor)
    return json(SignOnAddress(address=address), cookies.kept(request, SIGN_ON, secret, SIGN_ON_LIFETIME))


@routes.at("GET", "/api/v1/users/me/identities", answers=IdentityList)
async def find(application: Application, who: Principal) -> Response:
    """List what identity providers know one as."""
    found = await identities.find(who, application)
    return json(IdentityList(items=[identity_info(one, who.user.name) for one in found]))


@routes.at("DELETE", "/api/v1/users/me/identities/{identity_id}", answers=LoggedOut)
async def remove(
    identity_id: str,
    body: IdentityChange,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
) -> Response:
    """Log in no more with what an identity provider knows one as.

    All one's sessions, and API keys from log-ins, end but what asks.
    """
    visitor = cookies.visitor(request)
    ended, keys = await identities.remove(who, application, identity_id, body.password, visitor)
    return json(LoggedOut(sessions=ended, keys=keys))


@routes.at("GET", "/api/v1/users/{name}/identities", answers=IdentityList)
async def find_of(name: str, application: Application, who: Principal) -> Response:
    """List what identity providers know a user as; administrators only."""
    found = await identities.find_of(who, application, name)
    return json(IdentityList(items=[identity_info(one, name) for one in found]))


@routes.at("DELETE", "/api/v1/users/{name}/identities/{identity_id}", answers=LoggedOut)
async def remove_of(name: str, identity_id: str, application: Application, who: Principal) -> Response:
    """Let somebody else log in no more with what an identity provider knows them as; administrators only.

    Their sessions, and API keys from log-ins, end.
    """
    ended, keys = await identities.remove_of(who, application, name, identity_id)
    return json(LoggedOut(sessions=ended, keys=keys))


@routes.at("GET", f"{LOGIN_PAGE}/oidc/callback", status=HTTPStatus.SEE_OTHER)
async def finish(
    request: Request,
    application: Application,
    cookies: Cookies,
    code: Given = "",
    state: Given = "",
    iss: Given = "",
    error: Given = "",
    error_description: Given = "",
) -> Response:
    """Come back from the identity provider, logged in. Needs no API key."""
    visitor, secret = cookies.visitor(request), cookies.value(request, SIGN_ON)
    fault = " ".join(filter(None, (error, error_description)))
    try:
        entered = await single_sign_on.finish(None, application, secret, state, code, iss or None, visitor, fault)
    except AtlasError as refusal:
        return _to_page(refusal)
    path = return_path(unquote(cookies.value(request, BACK)))
    forgotten = [cookies.kept(request, name, "", 0) for name in (SIGN_ON, BACK)]
    fields = [("location", path), *_PRIVATE, *forgotten]
    return Response(HTTPStatus.SEE_OTHER, [*fields, *cookies.entered(request, entered)])


_PRIVATE = (("cache-control", "no-store"), ("referrer-policy", "no-referrer"))


def _to_page(error: AtlasError) -> Response:
    """Send the browser to the page, which says what was wrong."""
    return Response(HTTPStatus.SEE_OTHER, [("location", f"{LOGIN_PAGE}#failed={error.code}"), *_PRIVATE])
