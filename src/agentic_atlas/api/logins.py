"""Routes of logins by code (after RFC 8628). Codes are in bodies alone: addresses end up in logs."""

from http import HTTPStatus

from msgspec.structs import replace

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import logins
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.protocol.caller.people import DeviceCode, LoginCodes, LoginInfo, LoginRequest, NewApiKey, UserCode

routes = RouteGroup("logins", "/api/v1/login-codes")

MAX_BODY = 1_024
"""Bytes of a body: nobody has to say who they are to send one."""


@routes.at("POST", "", most=MAX_BODY, answers=LoginCodes, status=HTTPStatus.CREATED)
async def begin(body: LoginRequest, request: Request, application: Application, where: Whereabouts) -> Response:
    """Begin a login that somebody who is logged in has to approve; needs no API key."""
    begun = await logins.begin(None, application, body.host, request.address)
    complete = where.approval(request.host, begun.user_code)
    codes = replace(begun, verification_uri=where.approval(request.host), verification_uri_complete=complete)
    return json(codes, status=HTTPStatus.CREATED)


@routes.at("POST", "/token", most=MAX_BODY, answers=NewApiKey)
async def collect(body: DeviceCode, application: Application) -> Response:
    """Fetch the API key of an approved login, once; needs no API key.

    Until then it answers `authorization_pending`, `slow_down`, `access_denied` or `expired_token`.
    """
    return json(await logins.collect(None, application, body.device_code))


@routes.at("POST", "/show", most=MAX_BODY, answers=LoginInfo)
async def show(body: UserCode, application: Application, who: Principal) -> Response:
    """Show who asks with a code, before it is decided."""
    return json(await logins.show(who, application, body.user_code))


@routes.at("POST", "/approve", most=MAX_BODY, answers=LoginInfo)
async def approve(body: UserCode, application: Application, who: Principal) -> Response:
    """Let whoever asks with a code have an API key of one's own."""
    return json(await logins.approve(who, application, body.user_code))


@routes.at("POST", "/deny", most=MAX_BODY, answers=LoginInfo)
async def deny(body: UserCode, application: Application, who: Principal) -> Response:
    """Turn away whoever asks with a code."""
    return json(await logins.deny(who, application, body.user_code))
