"""Routes of the keys that sign tokens."""

from http import HTTPStatus

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import signing
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.protocol.caller.people import SigningKeyInfo, SigningKeyList

routes = RouteGroup("signing keys", "/api/v1/signing-keys")


@routes.at("GET", "", answers=SigningKeyList)
async def find(application: Application, who: Principal) -> Response:
    """List the keys that verify tokens, the one that signs first; administrators only."""
    return json(SigningKeyList(items=await signing.find(who, application)))


@routes.at("POST", "", answers=SigningKeyInfo, status=HTTPStatus.CREATED)
async def rotate(application: Application, who: Principal) -> Response:
    """Have a new key sign tokens from now on; those that were made stay good. Administrators only."""
    return json(await signing.rotate(who, application), status=HTTPStatus.CREATED)


@routes.at("DELETE", "/{key_id}", answers=SigningKeyInfo)
async def withdraw(key_id: str, application: Application, who: Principal) -> Response:
    """Make all tokens worthless that this key has signed, and what agents got for them by renewal, and close their
    connections; administrators only. What it ended is in the answer."""
    return json(await signing.withdraw(who, application, key_id))
