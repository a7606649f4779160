"""The way of a task through the network, told in the specification's steps from recorded times and events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from agentic_atlas.protocol.caller.agents import AgentInfo, AgentInstance
    from agentic_atlas.protocol.caller.tasks import EventInfo, TaskInfo


Step: TypeAlias = "tuple[datetime, str, str]"
"""When, what it is called, and what happened."""


def workflow(agent: AgentInfo, task: TaskInfo, events: Iterable[EventInfo]) -> list[Step]:
    """Return the steps in the order of their times: of the connection that ran the task, then of the task itself."""
    steps = [step for event in events for step in _of_event(event, task, agent.name)]
    for instance in agent.instances:
        if instance.id == task.instance_id:
            steps += _of_connection(instance, agent)
    return sorted(steps, key=lambda step: step[0])


def _of_connection(instance: AgentInstance, agent: AgentInfo) -> list[Step]:
    skills = len(agent.skills)
    return [
        (instance.opened_at, "connect", f"{agent.name} (pid {instance.pid}) dials out to the router with its token"),
        (instance.validated_at, "validate", f"the backend finds token {instance.token_id} valid"),
        (instance.connected_at, "register", f"instance {instance.id} is registered with {skills} skills"),
    ]


def _of_event(event: EventInfo, task: TaskInfo, agent: str) -> list[Step]:
    if event.kind != "state":
        return []
    at, number, state = event.at, f"(event {event.seq})", event.data.get("state")
    if state == "submitted":
        return [(at, "submit", f"task {task.id}: {task.skill} of {agent} {number}")]
    if state == "working" and event.data.get("accepted"):
        return [(at, "deliver", f"the agent has the task and starts it {number}")]
    if state == "working":
        return [(at, "dispatch", f"attempt {event.attempt} goes to instance {event.data.get('instance')} {number}")]
    return [
        (at, "result", f"the agent returns its result: {state}"),
        (at, "forward", f"the router forwards it, the backend stores it {number}"),
    ]
