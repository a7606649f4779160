"""Routes of logins by code (after RFC 8628). Codes are in bodies alone: addresses end up in logs."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic_atlas.api.describe import describe
from agentic_atlas.backend.usecases import logins
from agentic_atlas.backend.usecases.shown import login_codes, login_info, new_api_key
from agentic_atlas.http.answers import Json, read
from agentic_atlas.http.requests import Parts, Who
from agentic_atlas.protocol.caller.people import DeviceCode, LoginCodes, LoginInfo, LoginRequest, NewApiKey, UserCode

router = APIRouter(prefix="/api/v1/login-codes", tags=["logins"])

MAX_BODY = 1_024
"""Bytes of a body: nobody has to say who they are to send one."""


@router.post("", **describe(takes=LoginRequest, answers=LoginCodes, status=HTTPStatus.CREATED))
async def begin(request: Request, application: Parts) -> Response:
    """Begin a login that somebody who is logged in has to approve; needs no API key."""
    body = await read(request, LoginRequest, most=MAX_BODY)
    address = request.client.host if request.client else ""
    return Json(login_codes(await logins.begin(None, application, body.host, address)), status=HTTPStatus.CREATED)


@router.post("/token", **describe(takes=DeviceCode, answers=NewApiKey))
async def collect(request: Request, application: Parts) -> Response:
    """Fetch the API key of an approved login, once; needs no API key.

    Until then it answers `authorization_pending`, `slow_down`, `access_denied` or `expired_token`.
    """
    body = await read(request, DeviceCode, most=MAX_BODY)
    issued = await logins.collect(None, application, body.device_code)
    return Json(new_api_key(issued.key, issued.user, issued.secret))


@router.post("/show", **describe(takes=UserCode, answers=LoginInfo))
async def show(request: Request, application: Parts, who: Who) -> Response:
    """Show who asks with a code, before it is decided."""
    body = await read(request, UserCode, most=MAX_BODY)
    return Json(login_info(await logins.show(who, application, body.user_code), application.now()))


@router.post("/approve", **describe(takes=UserCode, answers=LoginInfo))
async def approve(request: Request, application: Parts, who: Who) -> Response:
    """Let whoever asks with a code have an API key of one's own."""
    body = await read(request, UserCode, most=MAX_BODY)
    return Json(login_info(await logins.approve(who, application, body.user_code), application.now()))


@router.post("/deny", **describe(takes=UserCode, answers=LoginInfo))
async def deny(request: Request, application: Parts, who: Who) -> Response:
    """Turn away whoever asks with a code."""
    body = await read(request, UserCode, most=MAX_BODY)
    return Json(login_info(await logins.deny(who, application, body.user_code), application.now()))
