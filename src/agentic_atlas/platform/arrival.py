"""How it stands with the agent that is to come with a token: what is waited for, or why it is not there. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agentic_atlas.protocol.caller.agents import AgentInfo, AgentInstance, RefusedInstance, SecondInstance, TokenInfo

GOOD: Final = ("active", "retiring")
"""Status of a token that an agent can connect with."""

_ENDED: Final[Mapping[str, tuple[str, str]]] = {
    "revoked": ("This token was revoked", "Nobody can connect with it any more. Generate another one for the agent."),
    "rotated": ("Another token has taken this one's place", "Whoever still has this one is refused: use the new one."),
    "expired": ("This token has expired", "Nobody can connect with it any more. Generate another one for the agent."),
    "withdrawn": (
        "This token ended with the key that signed it",
        "An administrator withdrew that key. Generate another token for the agent.",
    ),
}

_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "wrong_agent": (
        "The code declares another agent",
        "Put a token of the agent that the code declares into .env, or start the code of this agent.",
    ),
    "agent_disabled": ("The agent is disabled", "Its process waits until it is enabled again, in its settings."),
    "owner_disabled": ("The agent's owner is disabled", "An administrator can enable them again."),
    "protocol_version": ("It speaks another version of the protocol", "Update agentic-atlas on the older side."),
    "token_revoked": ("A process came with a revoked token", "Give it another one."),
    "token_rotated": ("A process came with a token that was rotated", "Give it the one that took its place."),
    "token_unknown": ("A process came with a token that is not known here", "Generate another one for it."),
}
"""Codes of why a process is not let in, in words, and what to do."""
_LATELY: Final = timedelta(days=1)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a process was not let in, or came in another's place.

    Attributes:
        at: when it did last.
        title: in a few words.
        text: what to do.
        whence: its host and address.
        token_id: that it came with.
        there: another one is connected all the same.
    """

    at: datetime
    title: str
    text: str
    whence: str
    token_id: str
    there: bool = False


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with a token's agent.

    Attributes:
        state: `waiting`, `connected`, `left`, `refused` or `ended`.
        title: in a few words.
        text: what to do.
        instance: that is connected with the token, or was last.
        problem: why it is not there.
    """

    state: str
    title: str
    text: str
    instance: AgentInstance | None = None
    problem: Problem | None = None


def arrival(token: TokenInfo, agent: AgentInfo, lineage: Collection[str] = ()) -> Arrival:
    """Return how it stands with the agent of a token; `lineage` are the ids of what its agent has made of it since."""
    its = {token.id, *lineage}
    there = next((one for one in agent.instances if one.online and one.token_id in its), None)
    if there is not None:
        return Arrival(state="connected", title="Your agent is connected", text="", instance=there)
    if token.status not in GOOD:
        title, text = _ENDED.get(token.status, (f"This token is {token.status}", ""))
        return Arrival(state="ended", title=title, text=text)
    if agent.disabled:
        text = "Nobody is let in before it is enabled again, in its settings."
        return Arrival(state="ended", title="The agent is disabled", text=text)
    last = next((one for one in agent.instances if one.token_id in its), None)
    problem = next((one for one in problems(agent) if one.token_id in its and _after(one, last)), None)
    if problem is not None:
        return Arrival(state="refused", title=problem.title, text=problem.text, problem=problem)
    if last is not None:
        text = "It comes back by itself while it runs; else start it again. This page shows it by itself."
        return Arrival(state="left", title="Your agent is not connected now", text=text, instance=last)
    text = "Start it with the token. This page shows it by itself as soon as it connects."
    return Arrival(state="waiting", title="Waiting for your agent", text=text)


def problems(agent: AgentInfo) -> Sequence[Problem]:
    """Return why processes were not let in lately, or came in another's place, the last one first."""
    refused = (_refused(one) for one in agent.refused_instances)
    seconds = (_second(one) for one in agent.second_instances)
    return sorted([*refused, *seconds], key=lambda one: one.at, reverse=True)


def open_problems(agent: AgentInfo, now: datetime) -> Sequence[Problem]:
    """Return those of the last day that were not over when a process connected with the same token since."""
    last = {one.token_id: one for one in sorted(agent.instances, key=lambda one: one.connected_at)}
    return [one for one in problems(agent) if now - one.at < _LATELY and _after(one, last.get(one.token_id))]


def _after(problem: Problem, last: AgentInstance | None) -> bool:
    return last is None or problem.at > last.connected_at


def _refused(one: RefusedInstance) -> Problem:
    title, text = _REFUSED.get(one.code, ("A process was refused", ""))
    message = one.message.replace("it is for", "the token is for", 1) if one.code == "wrong_agent" else one.message
    said = f"{message[:1].upper()}{message[1:]}." if message else ""
    return Problem(
        at=one.at,
        title=title,
        text=" ".join(filter(None, (said, text))) or f"The reason is {one.code}.",
        whence=whence(one.host, one.address),
        token_id=one.token_id,
    )


def _second(one: SecondInstance) -> Problem:
    holder = one.holder or "another process"
    title = "Another process took this one's place" if one.replaced else "Another process has this token already"
    done = f"It took the place of {holder}, which gave no sign of life." if one.replaced else f"{holder} is connected."
    return Problem(
        at=one.at,
        title=title,
        text=f"{done} A token is for one process at a time: stop one of them, or give it a token of its own.",
        whence=whence(one.host, one.address),
        token_id=one.token_id,
        there=True,
    )


def whence(host: str, address: str) -> str:
    """Return where a process is, in words."""
    return f"{host} ({address})" if host and address else host or address
