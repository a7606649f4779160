"""Where everything stands in the picture of the network: platform and router in the middle, agents at both sides.

Pure: the same agents and calls make the same picture, so that nothing moves in it but what has changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log2
from typing import Final

import msgspec

from agentic_atlas.platform.templating import number, plural
from agentic_atlas.protocol.caller.agents import AgentSummary
from agentic_atlas.protocol.caller.statistics import CallCount

MOST_ALONE: Final = 12
"""Agents that stand alone in the picture where there are more than fit; the others stand together, by owner."""
MOST_PLACES: Final = 18
"""Agents and groups of agents in the picture."""

_WIDTH: Final = 760
_CARD, _MIDDLE, _HEIGHT, _STEP, _EDGE = 212, 128, 46, 60, 8
_LONGEST: Final = 27
"""Letters of a name that fit on a card."""
PLATFORM: Final = "platform"
"""Where the calls of people begin; no agent has this key, as theirs have a slash."""


class MapNode(msgspec.Struct, frozen=True, kw_only=True):
    """One card of the picture.

    Attributes:
        key: by what lines name it: `platform`, `router`, `owner/name`, or `owner/` of a group.
        kind: `platform`, `router`, `agent` or `group`.
        state: `online`, `offline` or `disabled`; of a group `online` when one of it is.
        title: as much of its name as fits.
        text: how it is, in a few words.
        name: all of its name and how it is.
        path: of its page.
        x: its left edge.
        y: its upper edge.
        width: how wide it is.
        height: how high it is.
    """

    key: str
    kind: str
    state: str
    title: str
    text: str
    name: str
    path: str
    x: int
    y: int
    width: int
    height: int


class MapLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the picture.

    Attributes:
        kind: `link` from the router to who is connected, `call` from who asks to who is asked.
        d: its way, as SVG has it.
        width: more for more calls.
        name: what it says.
    """

    kind: str
    d: str
    width: float
    name: str


class NetworkMap(msgspec.Struct, frozen=True, kw_only=True):
    """The picture.

    Attributes:
        width: of the whole.
        height: of the whole.
        lines: beneath the cards.
        nodes: the cards.
    """

    width: int
    height: int
    lines: Sequence[MapLine]
    nodes: Sequence[MapNode]


class AgentGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Agents that stand together.

    Attributes:
        owner: of all of them; empty: they are of several.
        agents: how many.
        online: how many of those are connected.
    """

    owner: str
    agents: int
    online: int


def in_turn(online: Sequence[str], calls: Sequence[CallCount]) -> list[str]:
    """Return whose turn it is to stand alone where there are more than fit: those of the most calls, then the online.

    Some of whom it is told are not seen, or are gone.
    """
    part = Counter(dict.fromkeys(online, 0))
    for call in calls:
        part[call.agent] += call.tasks
        part[call.caller] += call.tasks if call.caller_kind == "agent" else 0
    named = [name for name, tasks in part.items() if "/" in name]
    return sorted(named, key=lambda name: (-part[name], name))


def together(owners: Mapping[str, int], online: Sequence[str], alone: Sequence[AgentSummary]) -> list[AgentGroup]:
    """Return who stands together of so many agents of each owner, if some stand alone; those of few owners' last."""
    there = Counter(name.partition("/")[0] for name in online)
    there.subtract(one.owner for one in alone if one.full_name in set(online))
    rest = Counter(owners)
    rest.subtract(one.owner for one in alone)
    largest = sorted((owner for owner in rest if rest[owner] > 0), key=lambda owner: (-rest[owner], owner))
    room = MOST_PLACES - MOST_ALONE
    kept = largest if len(largest) <= room else largest[: room - 1]
    groups = [AgentGroup(owner=owner, agents=rest[owner], online=there[owner]) for owner in sorted(kept)]
    if others := set(largest) - set(kept):
        numbers = [sum(counts[owner] for owner in others) for counts in (rest, there)]
        groups.append(AgentGroup(owner="", agents=numbers[0], online=numbers[1]))
    return groups


def network_map(alone: Sequence[AgentSummary], groups: Sequence[AgentGroup], calls: Sequence[CallCount]) -> NetworkMap:
    """Return the picture of these agents, who come by name, of those that stand together, and of who calls whom."""
    cards = [_agent(one) for one in alone] + [_group(one) for one in groups]
    left = (len(cards) + 1) // 2
    height = max(left, 3) * _STEP + 2 * _EDGE
    nodes = {one.key: one for one in _middle(height)}
    for side, x in ((cards[:left], _EDGE), (cards[left:], _WIDTH - _CARD - _EDGE)):
        top = (height - len(side) * _STEP + _STEP - _HEIGHT) // 2
        for row, card in enumerate(side):
            nodes[card.key] = msgspec.structs.replace(card, x=x, y=top + row * _STEP)
    lines = [*_links(nodes), *_calls(nodes, calls)]
    return NetworkMap(width=_WIDTH, height=height, lines=lines, nodes=list(nodes.values()))


def _agent(one: AgentSummary) -> MapNode:
    text = f"{one.slots_used} of {plural(one.slots, 'slot')}" if one.status == "online" else one.status
    if one.tasks_waiting:
        text += f", {number(one.tasks_waiting)} waiting"
    return MapNode(
        key=one.full_name,
        kind="agent",
        state=one.status,
        title=_fitting(one.full_name),
        text=text,
        name=f"{one.full_name}, {one.status}: {text}" if one.status == "online" else f"{one.full_name}: {text}",
        path=f"/agents/{one.full_name}",
        x=0,
        y=0,
        width=_CARD,
        height=_HEIGHT,
    )


def _group(one: AgentGroup) -> MapNode:
    title = f"{plural(one.agents, 'agent')} of {one.owner or 'others'}"
    text = f"{number(one.online)} online, {number(one.agents - one.online)} not"
    return MapNode(
        key=f"{one.owner}/",
        kind="group",
        state="online" if one.online else "offline",
        title=_fitting(title),
        text=text,
        name=f"{title}: {text}",
        path="/agents",
        x=0,
        y=0,
        width=_CARD,
        height=_HEIGHT,
    )


def _middle(height: int) -> list[MapNode]:
    x, y = (_WIDTH - _MIDDLE) // 2, height // 2
    made = []
    for kind, top, text, path in (
        (PLATFORM, y - _STEP - _HEIGHT // 3, "people, API keys", "/tasks"),
        ("router", y + _HEIGHT // 3, "delivers tasks", "/agents"),
    ):
        made.append(
            MapNode(
                key=kind,
                kind=kind,
                state="online",
                title=kind.capitalize(),
                text=text,
                name=f"{kind.capitalize()}: {text}",
                path=path,
                x=x,
                y=top,
                width=_MIDDLE,
                height=_HEIGHT,
            )
        )
    return made


def _links(nodes: Mapping[str, MapNode]) -> list[MapLine]:
    router, platform = nodes["router"], nodes[PLATFORM]
    x = _WIDTH // 2
    found = [MapLine(kind="link", d=f"M{x} {platform.y + _HEIGHT}V{router.y}", width=1, name="Platform and router")]
    found.extend(
        MapLine(kind="link", d=_way(router, one), width=1, name=f"{one.title} is connected")
        for one in nodes.values()
        if one.kind in ("agent", "group") and one.state == "online"
    )
    return found


def _calls(nodes: Mapping[str, MapNode], calls: Sequence[CallCount]) -> list[MapLine]:
    """Return a line from each who asks to each whom they ask; of those that are in no place, there is none."""
    summed: Counter[tuple[str, str]] = Counter()
    for call in calls:
        caller = _place(nodes, call.caller) if call.caller_kind == "agent" else PLATFORM
        asked = _place(nodes, call.agent)
        if caller is not None and asked is not None and caller != asked:
            summed[caller, asked] += call.tasks
    return [
        MapLine(
            kind="call",
            d=_way(nodes[caller], nodes[asked]),
            width=round(min(1.5 + log2(tasks) / 3, 5), 1),
            name=f"{nodes[caller].title} asked {nodes[asked].title}: {plural(tasks, 'task')}",
        )
        for (caller, asked), tasks in sorted(summed.items())
    ]


def _place(nodes: Mapping[str, MapNode], name: str) -> str | None:
    """Return where an agent stands: alone, with the others of its owner, or with those of several; one gone nowhere."""
    owner, slash, _ = name.partition("/")
    places = (name, f"{owner}/", "/") if slash else ()
    return next((one for one in places if one in nodes), None)


def _way(begin: MapNode, end: MapNode) -> str:
    """Return a curve between two cards, from and to the sides that look at each other, or at the middle."""
    right = end.x >= begin.x if begin.x != end.x else begin.x < _WIDTH // 2
    # Between cards above each other it bends into the middle.
    same = begin.x == end.x
    x1, x2 = begin.x + begin.width * right, end.x + end.width * (right if same else not right)
    # Who calls and who is called touch a card at two heights, so that both ways between the same two can be seen.
    y1, y2 = begin.y + begin.height * 2 // 5, end.y + end.height * 3 // 5
    bend = (60 if same else max(abs(x2 - x1) // 2, 40)) * (1 if right else -1)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 + (bend if same else -bend)} {y2} {x2} {y2}"


def _fitting(name: str) -> str:
    """Return what fits of a name: how it begins and how it ends, by which names of one kind differ."""
    return name if len(name) <= _LONGEST else f"{name[:14]}…{name[-12:]}"
