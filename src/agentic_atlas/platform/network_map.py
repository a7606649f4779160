"""Where everything stands in the picture of the network: platform and router in the middle, agents at both sides.

Pure: the same agents and calls make the same picture, so that nothing moves in it but what has changed.
"""

from collections import Counter, defaultdict
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


def network_map(agents: Sequence[AgentSummary], calls: Sequence[CallCount]) -> NetworkMap:
    """Return the picture of these agents, who come by name, and of the calls between them."""
    alone, groups = _placed(agents, calls)
    cards = [_agent(one) for one in alone] + [_group(owner, members) for owner, members in groups.items()]
    left = (len(cards) + 1) // 2
    height = max(left, 3) * _STEP + 2 * _EDGE
    nodes = {one.key: one for one in _middle(height)}
    for side, x in ((cards[:left], _EDGE), (cards[left:], _WIDTH - _CARD - _EDGE)):
        top = (height - len(side) * _STEP + _STEP - _HEIGHT) // 2
        for row, card in enumerate(side):
            nodes[card.key] = msgspec.structs.replace(card, x=x, y=top + row * _STEP)
    stands = {one.full_name: one.full_name for one in alone}
    stands |= {one.full_name: f"{owner}/" for owner, members in groups.items() for one in members}
    lines = [*_links(nodes), *_calls(nodes, stands, calls)]
    return NetworkMap(width=_WIDTH, height=height, lines=lines, nodes=list(nodes.values()))


def _placed(
    agents: Sequence[AgentSummary], calls: Sequence[CallCount]
) -> tuple[Sequence[AgentSummary], Mapping[str, Sequence[AgentSummary]]]:
    """Return who stands alone, and who together: alone those of the most calls, then others that are connected."""
    if len(agents) <= MOST_PLACES:
        return agents, {}
    part: Counter[str] = Counter()
    for call in calls:
        part[call.agent] += call.tasks
        part[call.caller] += call.tasks if call.caller_kind == "agent" else 0
    seen = [one for one in agents if part[one.full_name] or one.status == "online"]
    busiest = sorted(seen, key=lambda one: (-part[one.full_name], one.full_name))[:MOST_ALONE]
    names = {one.full_name for one in busiest}
    by_owner: defaultdict[str, list[AgentSummary]] = defaultdict(list)
    for one in agents:
        if one.full_name not in names:
            by_owner[one.owner].append(one)
    largest = sorted(by_owner, key=lambda owner: (-len(by_owner[owner]), owner))
    kept = largest if len(largest) <= MOST_PLACES - MOST_ALONE else largest[: MOST_PLACES - MOST_ALONE - 1]
    groups = {owner: by_owner[owner] for owner in sorted(kept)}
    if rest := [one for owner in sorted(set(largest) - set(kept)) for one in by_owner[owner]]:
        groups[""] = rest
    return [one for one in agents if one.full_name in names], groups


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


def _group(owner: str, members: Sequence[AgentSummary]) -> MapNode:
    online = sum(one.status == "online" for one in members)
    title = f"{plural(len(members), 'agent')} of {owner or 'others'}"
    text = f"{number(online)} online, {number(len(members) - online)} not"
    return MapNode(
        key=f"{owner}/",
        kind="group",
        state="online" if online else "offline",
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


def _calls(nodes: Mapping[str, MapNode], stands: Mapping[str, str], calls: Sequence[CallCount]) -> list[MapLine]:
    """Return a line from each who asks to each whom they ask; of those that are in no place, there is none."""
    summed: Counter[tuple[str, str]] = Counter()
    for call in calls:
        caller = stands.get(call.caller) if call.caller_kind == "agent" else PLATFORM
        asked = stands.get(call.agent)
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
