"""The life of a task: diagram, states, what moves them."""

from __future__ import annotations

from agentic_atlas.compose.limits import attribute_docs
from agentic_atlas.protocol.tasks import TERMINAL, TRANSITIONS, TaskState, Trigger
from tests.docs.reference.markdown import code, fence, table

_PLAIN = {
    Trigger.COMPLETE: "The handler returned an output.",
    Trigger.CANCEL: "Somebody canceled it, or the task that called it.",
}


def task_diagram() -> str:
    return fence("mermaid", drawn())


def drawn() -> str:
    """Draw the table as a Mermaid state diagram, one line an arrow, in the order of the table."""
    lines = ["stateDiagram-v2", "    [*] --> submitted: submit"]
    for state, arrows in TRANSITIONS.items():
        lines += [f"    {state} --> {target}: {trigger}" for trigger, target in arrows.items()]
        if state in TERMINAL:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)


def triggers() -> str:
    docs = attribute_docs(Trigger)
    rows = [(code(each), docs.get(each.name) or _PLAIN[each], _moves(each)) for each in Trigger]
    return table(("trigger", "meaning", "from → to"), rows)


def final_states() -> str:
    return ", ".join(code(state) for state in TaskState if state in TERMINAL)


def _moves(trigger: Trigger) -> str:
    return ", ".join(f"`{state}` → `{to[trigger]}`" for state, to in TRANSITIONS.items() if trigger in to)
