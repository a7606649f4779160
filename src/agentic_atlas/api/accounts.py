"""Routes of one's own account: the password, and one-time passwords."""

from http import HTTPStatus

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import account_info, user_info
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.protocol.caller.accounts import (
    AccountInfo,
    Confirmation,
    LoggedOut,
    PasswordChange,
    RecoveryCodes,
    TotpCode,
    TotpEnrolment,
)
from agentic_atlas.protocol.caller.people import UserInfo

routes = RouteGroup("accounts", "/api/v1/users")


@routes.at("GET", "/me", answers=AccountInfo)
async def show(application: Application, who: Principal) -> Response:
    """Show how one comes in."""
    return json(account_info(await accounts.show(who, application), who.user))


@routes.at("PUT", "/me/password", answers=LoggedOut)
async def change_password(
    body: PasswordChange, request: Request, application: Application, who: Principal, cookies: Cookies
) -> Response:
    """Have another password; all one's sessions and API keys from log-ins end but what asks."""
    visitor = cookies.visitor(request)
    sessions, keys = await accounts.change_password(who, application, body.current, body.new, visitor)
    return json(LoggedOut(sessions=sessions, keys=keys))


@routes.at("POST", "/me/totp", answers=TotpEnrolment, status=HTTPStatus.CREATED)
async def enrol(
    body: Confirmation, request: Request, application: Application, who: Principal, cookies: Cookies
) -> Response:
    """Have a secret for an authenticator; log-ins are as they were until a code of it is confirmed."""
    made = await accounts.enrol(who, application, body.password, cookies.visitor(request), request.hostname)
    return json(made, status=HTTPStatus.CREATED)


@routes.at("POST", "/me/totp/confirm", answers=RecoveryCodes)
async def confirm(body: TotpCode, application: Application, who: Principal) -> Response:
    """Let one's log-ins need one-time passwords from now on; the answer has codes for who loses the authenticator."""
    return json(RecoveryCodes(codes=await accounts.confirm(who, application, body.code)))


@routes.at("DELETE", "/me/totp", status=HTTPStatus.NO_CONTENT)
async def disenrol(
    body: Confirmation, request: Request, application: Application, who: Principal, cookies: Cookies
) -> Response:
    """Let one's log-ins need no one-time passwords any more."""
    await accounts.disenrol(who, application, body.password, cookies.visitor(request))
    return Response(HTTPStatus.NO_CONTENT)


@routes.at("DELETE", "/{name}/totp", answers=UserInfo)
async def reset_totp(name: str, application: Application, who: Principal) -> Response:
    """Let the log-ins of somebody else who has lost their authenticator need none; administrators only."""
    return json(user_info(await accounts.reset_totp(who, application, name)))
