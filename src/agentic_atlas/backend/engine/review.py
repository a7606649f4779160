"""What somebody may do has changed: nobody watches, and no agent is connected, on a right of the past."""

from collections.abc import Iterable, Sequence
from typing import Final

from agentic_atlas.backend.domain.records import Token, User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.log_tail import WATCHED as LOGS
from agentic_atlas.backend.ports import Ended
from agentic_atlas.backend.rights import AgentToken, Principal, key_invalid, seen_by
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.agents import EndedToken
from agentic_atlas.protocol.caller.audit import AuditObject
from agentic_atlas.protocol.caller.values import Json
from agentic_atlas.protocol.inside.messages import Revoke

NO_MORE: Final = "who manages the agent no more"
"""What the audit log says of the end of a token that was made by a share."""
NO_ADMINISTRATOR: Final = "its maker is an administrator no more"
"""What it says of the end of what somebody made for others as one."""


async def look_again(engine: Engine, user_ids: Iterable[str]) -> None:
    """End what these users watch and do not see any more; their other watches go on.

    Who watches everything does so anew: there is no saying what they see now. Who watches logs is rung, and finds out.
    """
    for user_id in user_ids:
        watched = engine.feed.watched_by(user_id)
        user = await engine.store.users.get(user_id) if watched else None
        for task_id, watches in watched.items():
            try:
                if user is None:
                    raise key_invalid()
                if task_id == LOGS:
                    for watch in watches:
                        watch.ring(LOGS, b"")
                else:
                    await engine.access.standing(seen_by(user), task_id)
            except AtlasError as error:
                # One that can't be looked at now ends too, and may be begun again.
                for watch in watches:
                    watch.refuse(error)


async def end_connections(
    engine: Engine, who: Principal, ended: Sequence[Token], *known: User
) -> tuple[EndedToken, ...]:
    """Close what is connected with these tokens, which a share ended that this principal ended; return them by name.

    The audit log has a row of each. `known` are users who may be gone.
    """
    if not ended:
        return ()
    engine.access.forget()
    engine.router.say(Revoke(tuple(token.id for token in ended), "token_revoked"))
    names = await maker_names(engine, ended) | {user.id: user.name for user in known}
    agents = {agent_id: await engine.store.agents.get(agent_id) for agent_id in {token.agent_id for token in ended}}
    for token in ended:
        engine.changes.tokens(token.agent_id)
        agent, made_by = agents[token.agent_id], names[token.made_by]
        facts = {"agent": agent.full_name if agent else "", "made_by": made_by, "why": NO_MORE}
        engine.trail.note(who, "tokens.end", AuditObject(kind="token", id=token.id, name=token.name), facts)
    return tuple(EndedToken(id=token.id, name=token.name, made_by=names[token.made_by]) for token in ended)


async def end_made(engine: Engine, who: Principal, ended: Ended, *known: User) -> None:
    """See that nobody comes in any more with what a user had made, which ended because of what this principal did.

    The audit log has a row of each. `known` are users who may be gone.
    """
    tokens, keys, invitations = ended
    await end_connections(engine, who, tokens, *known)
    names = {user.id: user.name for user in known}

    async def facts(user_id: str, made_by: str) -> dict[str, Json]:
        for one in (user_id, made_by):
            user = None if one in names else await engine.store.users.get(one)
            names[one] = names.get(one) or (user.name if user else one)
        return {"user": names[user_id], "made_by": names[made_by], "why": NO_ADMINISTRATOR}

    for key in keys:
        engine.feed.refuse(key.id, key_invalid())
        about = AuditObject(kind="api_key", id=key.id, name=key.name)
        engine.trail.note(who, "keys.end", about, await facts(key.user_id, key.made_by))
    for link in invitations:
        about = AuditObject(kind="invitation", id=link.id)
        engine.trail.note(who, "invitations.end", about, await facts(link.user_id, link.made_by))


async def maker_names(engine: Engine, tokens: Iterable[Token | AgentToken]) -> dict[str, str]:
    """Return what the makers of these tokens are called, by their ids: those who are gone by that."""
    makers = {token.made_by for token in tokens}
    found = {user_id: await engine.store.users.get(user_id) for user_id in makers if user_id}
    return {"": ""} | {user_id: user.name if user else user_id for user_id, user in found.items()}
