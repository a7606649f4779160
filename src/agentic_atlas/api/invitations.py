"""Routes of invitations. The secret of one is in bodies alone: addresses end up in logs."""

from http import HTTPStatus

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import invitations
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import invitation_info, user_info
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.protocol.caller.accounts import (
    Acceptance,
    InvitationInfo,
    InvitationList,
    InvitationRequest,
    InvitationSecret,
    NewInvitation,
)
from agentic_atlas.protocol.caller.people import UserInfo
from agentic_atlas.protocol.codec import passed_on

routes = RouteGroup("invitations", "/api/v1/invitations")

MAX_ACCEPTANCE = 4_096
"""Bytes of a body of somebody who comes with an invitation."""


@routes.at("POST", "", answers=NewInvitation, status=HTTPStatus.CREATED)
async def create(
    body: InvitationRequest, request: Request, application: Application, who: Principal, where: Whereabouts
) -> Response:
    """Make a link with which somebody else sets a password, once; administrators only.

    The user is made when there is none of this name; who is there keeps their role. An earlier link is good no more. No
    link is good for longer than seven days, or than the key that makes it. In a session it takes a log-in of the last
    ten minutes.
    """
    role = Role(body.role) if body.role else None
    made, user, secret = await invitations.create(who, application, body.user, role, lifetime=body.expires_in)
    link = where.invitation(secret, request.host)
    return json(passed_on(NewInvitation, invitation_info(made, user), link=link), status=HTTPStatus.CREATED)


@routes.at("GET", "", answers=InvitationList)
async def find(application: Application, who: Principal) -> Response:
    """List the invitations that can still be used, newest first; administrators only."""
    return json(InvitationList(items=[invitation_info(*one) for one in await invitations.find(who, application)]))


@routes.at("DELETE", "/{invitation_id}", status=HTTPStatus.NO_CONTENT)
async def revoke(invitation_id: str, application: Application, who: Principal) -> Response:
    """Make an invitation worthless; administrators only."""
    await invitations.revoke(who, application, invitation_id)
    return Response(HTTPStatus.NO_CONTENT)


@routes.at("POST", "/show", most=MAX_ACCEPTANCE, answers=InvitationInfo)
async def show(body: InvitationSecret, application: Application) -> Response:
    """Show whom an invitation is for; needs its secret and no API key."""
    return json(invitation_info(*await invitations.show(None, application, body.secret)))


@routes.at("POST", "/accept", most=MAX_ACCEPTANCE, answers=UserInfo)
async def accept(body: Acceptance, application: Application) -> Response:
    """Set the password of whom an invitation is for, and end their sessions; needs its secret and no API key."""
    return json(user_info(await invitations.accept(None, application, body.secret, body.password)))
