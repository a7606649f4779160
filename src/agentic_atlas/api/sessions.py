"""Routes of sessions: people log in with a password, and stay logged in by a cookie."""

from http import HTTPStatus

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import sessions
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import session_info
from agentic_atlas.http.cookies import SESSION, Cookies
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.protocol.caller.accounts import LoggedOut, MachineLogin, PasswordLogin, SessionList
from agentic_atlas.protocol.caller.people import NewApiKey, SessionInfo

routes = RouteGroup("sessions", "/api/v1")

MAX_BODY = 4_096
"""Bytes of a body of somebody who has yet to say who they are."""


@routes.at("POST", "/session", most=MAX_BODY, answers=SessionInfo, status=HTTPStatus.CREATED)
async def log_in(body: PasswordLogin, request: Request, application: Application, cookies: Cookies) -> Response:
    """Log in with name and password, and a one-time password where the account has such; needs no API key.

    The session is in cookies, which a browser keeps. A name that is not there is answered as a wrong password is.
    """
    entered = await sessions.log_in(None, application, body.name, body.password, body.code, cookies.visitor(request))
    view = session_info(entered.session, entered.user.name, entered.session.id)
    return json(view, *cookies.entered(request, entered), status=HTTPStatus.CREATED)


@routes.at("POST", "/session/key", most=MAX_BODY, answers=NewApiKey, status=HTTPStatus.CREATED)
async def make_key(body: MachineLogin, request: Request, application: Application, cookies: Cookies) -> Response:
    """Make an API key for the machine of whoever has this name and password (`atlas login`); needs no API key."""
    said = {"name": body.name, "password": body.password, "code": body.code}
    made = await sessions.make_key(None, application, body.host, **said, visitor=cookies.visitor(request))
    return json(made, status=HTTPStatus.CREATED)


@routes.at("GET", "/session", answers=SessionInfo)
async def current(application: Application, who: Principal) -> Response:
    """Show the session that asks."""
    found = await sessions.current(who, application)
    return json(session_info(found, who.user.name, found.id))


@routes.at("DELETE", "/session", status=HTTPStatus.NO_CONTENT)
async def log_out(request: Request, application: Application, who: Principal, cookies: Cookies) -> Response:
    """Log out: the session ends here and now, not only in the browser."""
    await sessions.log_out(who, application)
    return Response(HTTPStatus.NO_CONTENT, [cookies.kept(request, SESSION, "", 0)])


@routes.at("GET", "/sessions", answers=SessionList)
async def find(application: Application, who: Principal) -> Response:
    """List one's own sessions that are not over, those that were used last first."""
    found = await sessions.find(who, application)
    return json(SessionList(items=[session_info(one, who.user.name, who.credential.id) for one in found]))


@routes.at("DELETE", "/sessions", answers=LoggedOut)
async def end_others(application: Application, who: Principal) -> Response:
    """End all one's own sessions but the one that asks."""
    return json(LoggedOut(sessions=await sessions.end_others(who, application)))


@routes.at("DELETE", "/sessions/{session_id}", status=HTTPStatus.NO_CONTENT)
async def end(session_id: str, application: Application, who: Principal) -> Response:
    """End a session of one's own; administrators anybody's."""
    await sessions.end(who, application, session_id)
    return Response(HTTPStatus.NO_CONTENT)


@routes.at("GET", "/users/{name}/sessions", answers=SessionList)
async def find_of(name: str, application: Application, who: Principal) -> Response:
    """List the sessions of a user that are not over; administrators only."""
    found = await sessions.find_of(who, application, name)
    return json(SessionList(items=[session_info(one, name, who.credential.id) for one in found]))


@routes.at("DELETE", "/users/{name}/sessions", answers=LoggedOut)
async def end_of(name: str, application: Application, who: Principal) -> Response:
    """End all sessions of a user; administrators only."""
    return json(LoggedOut(sessions=await sessions.end_of(who, application, name)))
