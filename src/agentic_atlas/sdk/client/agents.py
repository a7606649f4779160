"""`client.agents` and `client.tokens`: which agents there are, and what they connect with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from types import NoneType

from agentic_atlas.protocol.caller.agents import (
    AccessName,
    AgentChange,
    AgentInfo,
    AgentPage,
    AgentRequest,
    AgentShares,
    AgentSummary,
    NewToken,
    RevokedToken,
    ShareRequest,
    TokenInfo,
    TokenList,
    TokenRequest,
    TokenRotation,
)
from agentic_atlas.protocol.caller.resources import Fleet, ProcessOrder, ResourceHistory
from agentic_atlas.sdk.client.http import Api, agent_path, aware, checked, pages, segment


class AsyncAgents:
    """The agents of a network, as `AsyncClient.agents`. One is named `name`, or `owner/name`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> AsyncGenerator[AgentSummary, None]:
        """Yield the agents that can be seen, by name."""
        return pages(self._api, "/agents", AgentPage)

    async def get(self, name: str) -> AgentInfo:
        """Return an agent with its skills and instances; raises NotFound (`agent_not_found`)."""
        return await self._api.send("GET", agent_path(name), AgentInfo)

    async def resources(
        self, name: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> ResourceHistory:
        """Return what an agent's instances took over time; for who manages it.

        Args:
            name: of the agent.
            since: an aware time, at most 30 days before `until`; else an hour before it.
            until: an aware time; else now.
        """
        query = {"agent": name, "since": aware("since", since), "until": aware("until", until)}
        return await self._api.send("GET", "/resources/history", ResourceHistory, query=query)

    async def fleet(self, part: str = "", *, order: ProcessOrder = "cpu", limit: int = 100) -> Fleet:
        """Return what the connected processes of one's agents take now.

        Args:
            part: of the agents' full names, or of the hosts'; empty: all.
            order: the most first, agents by their names.
            limit: processes that are returned, 500 at the most.
        """
        query = {"part": part, "order": order, "limit": str(limit)}
        return await self._api.send("GET", "/resources", Fleet, query=query)

    async def create(self, name: str, description: str = "") -> AgentSummary:
        """Create an agent of one's own, which then needs a token.

        Raises:
            Conflict: the name is in use.
        """
        body = checked(AgentRequest(name=name, description=description))
        return await self._api.send("POST", "/agents", AgentSummary, body=body, repeatable=False)

    async def disable(self, name: str) -> AgentSummary:
        """Close an agent's connections, and let none in until it is enabled; new tasks for it are refused meanwhile."""
        return await self._change(name, AgentChange(disabled=True))

    async def enable(self, name: str) -> AgentSummary:
        """Let an agent's instances in again, which come back by themselves."""
        return await self._change(name, AgentChange(disabled=False))

    async def rename(self, name: str, new_name: str) -> AgentSummary:
        """Give an agent of one's own another name.

        Its tokens are good as before, also for code that says the old name. Its tasks keep the name that they were
        asked for by.

        Raises:
            Conflict: the name is in use.
        """
        return await self._change(name, AgentChange(name=new_name))

    async def share(self, name: str, *subjects: str, access: AccessName = "call") -> AgentShares:
        """Share an agent of one's own with all of these, or with none of them; return with whom it is shared now.

        Args:
            name: of the agent.
            subjects: each the name of a user, `group:NAME`, or `everyone`.
            access: `"call"` to see it and ask it for tasks; `"manage"` also to change it, have its tokens, and see all
                its tasks.

        Raises:
            NotFound: there is no such agent, or one is no user (`user_not_found`) or group (`group_not_found`).
            Forbidden: for managing, without a key for that: one with `tokens:write` and `tasks:read`, too.
        """
        body = checked(ShareRequest(subjects=list(subjects), access=access))
        return await self._api.send("PUT", f"{agent_path(name)}/shares", AgentShares, body=body)

    async def unshare(self, name: str, *subjects: str) -> AgentShares:
        """Share an agent of one's own no more with users, `group:NAME`s or `everyone`; raises as `share` does.

        Tokens that they made as managers end, unless they may still manage it: `ended` of what is returned has them.
        """
        named = ",".join(segment(one) for one in subjects or ("",))
        return await self._api.send("DELETE", f"{agent_path(name)}/shares/{named}", AgentShares)

    async def delete(self, name: str) -> None:
        """Remove an agent with its tokens: its connections are closed, its open tasks fail, what was done stays."""
        await self._api.send("DELETE", agent_path(name), NoneType)

    async def _change(self, name: str, change: AgentChange) -> AgentSummary:
        body, again = checked(change), change.name is None  # repeated, a change of a name would not find it
        return await self._api.send("PATCH", agent_path(name), AgentSummary, body=body, repeatable=again)


class AsyncTokens:
    """The tokens of agents, as `AsyncClient.tokens`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        agent: str,
        *,
        name: str = "",
        description: str = "",
        expires_in: float | None = None,
        scopes: Sequence[str] | None = None,
        renewable: bool = True,
    ) -> NewToken:
        """Make a token for one instance of an agent. It is told this once.

        Args:
            agent: `name`, or `owner/name`.
            name: to tell its tokens apart, for instance the machine's.
            description: what it is for; at most 1,000 characters.
            expires_in: seconds; 90 days by default, and no more than the network allows.
            scopes: what it is good for besides connecting: `agent:call`, or `agent:call:OWNER/AGENT[/SKILL]`; all by
                default.
            renewable: whether its agent may have the next one by itself before it expires.
        """
        given = None if scopes is None else list(scopes)
        body = checked(
            TokenRequest(name=name, description=description, expires_in=expires_in, scopes=given, renewable=renewable)
        )
        return await self._api.send("POST", f"{agent_path(agent)}/tokens", NewToken, body=body, repeatable=False)

    async def list(self, agent: str) -> Sequence[TokenInfo]:
        """Return the tokens of an agent, past ones too; of more than 1,000 the revoked ones are left out first."""
        return (await self._api.send("GET", f"{agent_path(agent)}/tokens", TokenList)).items

    async def rotate(
        self, id: str, *, overlap: float = 86_400, expires_in: float | None = None, renewable: bool | None = None
    ) -> NewToken:
        """Make a token in place of another one, for instance as its owner leaves. It is told this once.

        Args:
            id: of the one, or of any that it came out of.
            overlap: seconds for which that stays good; 0 closes its connection at once.
            expires_in: seconds; as long as that one was made for by default.
            renewable: as for `create`; as that one by default.

        Raises:
            Conflict: it was revoked.
        """
        body = checked(TokenRotation(overlap=overlap, expires_in=expires_in, renewable=renewable))
        return await self._api.send("POST", f"/tokens/{segment(id)}/rotate", NewToken, body=body, repeatable=False)

    async def revoke(self, id: str) -> RevokedToken:
        """End a token, and all that came out of it: connections that use them are closed."""
        return await self._api.send("DELETE", f"/tokens/{segment(id)}", RevokedToken)
