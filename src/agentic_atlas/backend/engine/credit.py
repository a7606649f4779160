"""What each connected instance can do, how many tasks it may be given, and which one gets the next.

Pure; the clock is an argument.

Instances of one agent may run different code for a while, in a deploy or by mistake. Together they offer what any of
them has; where two have a skill with different input schemas, the one that registered last says which it is, and only
instances that have it with that schema are given its tasks.

A router grants so many tasks in all to each connection; here is counted what was given of that, and what is reserved
for tasks that are being claimed. So nobody is given more than was granted, whatever is on its way to or from a router.
Reservations belong to the instance: one that comes back meanwhile still has the task before it that is claimed for it.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from agentic_atlas.backend.domain.records import SkillRecord, Usage
from agentic_atlas.backend.domain.resources import MinuteSums, SpanFigures
from agentic_atlas.protocol.inside.messages import Credit, Departed, Heard, InstanceRef
from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.protocol.tasks import Holdup

T = TypeVar("T")


class _Declared(msgspec.Struct, frozen=True):
    skills: dict[str, SkillRecord]
    generation: int


class Offers:
    """The connected instances of each agent with what they declared, in the order in which they registered."""

    def __init__(self) -> None:
        self._agents: dict[str, dict[str, _Declared]] = {}
        self._coming: dict[str, dict[str, dict[str, SkillRecord]]] = {}
        """What those declare that are being registered: it counts in place of what they declared before."""
        self._able: dict[str, dict[str, frozenset[str] | None]] = {}
        """What was found of them, until one comes or leaves."""

    def came(
        self, agent_id: str, instance_id: str, skills: Sequence[SkillRecord], generation: int | None = None
    ) -> None:
        """An instance registers with these skills; with a generation, it has."""
        self._able.pop(agent_id, None)
        declared = {skill.name: skill for skill in skills}
        if generation is None:
            self._coming.setdefault(agent_id, {})[instance_id] = declared
            return
        _take(self._coming, agent_id, instance_id)
        instances = self._agents.setdefault(agent_id, {})
        instances.pop(instance_id, None)
        instances[instance_id] = _Declared(declared, generation)

    def stays_out(self, agent_id: str, instance_id: str) -> None:
        """The instance is not being registered any more: if it was not, what it declared before counts again."""
        self._able.pop(agent_id, None)
        _take(self._coming, agent_id, instance_id)

    def left(self, agent_id: str, instance_id: str, generation: int) -> bool:
        """The instance's connection of this generation ended; True when that changed who is there."""
        known = self._agents.get(agent_id, {}).get(instance_id)
        if known is None or known.generation != generation:
            return False
        self._able.pop(agent_id, None)
        _take(self._agents, agent_id, instance_id)
        return instance_id not in self._coming.get(agent_id, {})

    def offered(self, agent_id: str) -> list[SkillRecord]:
        """Return what the agent's connected instances offer; nothing when none is connected."""
        offered: dict[str, SkillRecord] = {}
        for skills in self._declared(agent_id).values():
            offered |= skills
        return sorted(offered.values(), key=lambda skill: skill.name)

    def able(self, agent_id: str, skill: str) -> frozenset[str] | None:
        """Return the instances that a task of this skill may go to; None when any will do, or none is known."""
        if agent_id not in self._agents and agent_id not in self._coming:
            return None
        known = self._able.setdefault(agent_id, {})
        if skill not in known:
            known[skill] = self._having(agent_id, skill)
        return known[skill]

    def able_beside(self, agent_id: str, skill: str, older: Collection[str]) -> Collection[str] | None:
        """Return those of the able instances that may be given no task of the older skills; None when any will do."""
        able = self.able(agent_id, skill)
        if not older:
            return able
        others = [self.able(agent_id, one) for one in older]
        busy = frozenset[str]().union(*(other for other in others if other is not None))
        if None in others:
            return ()
        if not busy:
            return able
        return (frozenset(self._declared(agent_id)) if able is None else able) - busy

    def takes(self, agent_id: str, instance_id: str, wanted: Collection[str]) -> set[str]:
        """Return for which of the wanted skills the instance may be given tasks."""
        found = {skill: self.able(agent_id, skill) for skill in wanted}
        return {skill for skill, able in found.items() if able is None or instance_id in able}

    def _having(self, agent_id: str, skill: str) -> frozenset[str] | None:
        instances = self._declared(agent_id)
        having = {name: skills[skill] for name, skills in instances.items() if skill in skills}
        current = next(reversed(having.values()), None)
        able = [name for name, had in having.items() if current and had.input_schema == current.input_schema]
        return None if len(able) == len(instances) else frozenset(able)

    def _declared(self, agent_id: str) -> dict[str, dict[str, SkillRecord]]:
        """Return what each instance declares, those that are being registered last."""
        coming = self._coming.get(agent_id, {})
        there = self._agents.get(agent_id, {})
        return {name: one.skills for name, one in there.items() if name not in coming} | coming


def _take(known: dict[str, dict[str, T]], agent_id: str, instance_id: str) -> None:
    instances = known.get(agent_id, {})
    instances.pop(instance_id, None)
    if not instances:
        known.pop(agent_id, None)


HANDICAP: Final = 4
"""Choices by which an instance comes later among equals, for each quarter of its machine's processor that is busy.

So the less loaded machine is preferred, and the busiest is still given one of every dozen tasks: what its beat said is
some seconds old, and one that is never asked would look busy or idle for ever."""

MOST_REMEMBERED = 20_000
"""Instances whose latest connection is remembered; those of which nothing was heard for longest are forgotten first."""


@dataclass(slots=True)
class _Account:
    """A connected instance."""

    instance: InstanceRef
    slots: int
    granted: int
    holdup: Holdup | None
    since: float
    heard_at: float
    reserved: int = 0
    given: int = 0
    turn: int = 0
    """Number of the choice among its agent's instances in which it was taken last."""
    oldest_result: float = 0.0
    unheard: tuple[RunningAttempt, ...] = ()
    beat: Heard | None = None
    """The last that came."""
    sums: MinuteSums | None = None
    """Of the beats since the last minute was taken; None: none of them told anything."""

    @property
    def left(self) -> int:
        """What was granted and is not given or reserved yet."""
        return max(0, self.granted - self.given - self.reserved)


@dataclass(slots=True)
class _Memory:
    """What is remembered of an instance, whether it is connected or not."""

    generation: int = 0
    """Of its latest connection; 0 when none is known."""
    token_id: str = ""
    """Of the token with which that connection is stored; empty while it is not known to be."""
    until: float = 0.0
    """Until when its attempts wait for it."""
    reserved: int = 0
    """Slots reserved on a connection that has ended."""
    drained: bool = False
    """It was about to end when its connection did: it does not come back."""


class Instances:
    """Which connection of each instance is the latest, and how long those that have left are waited for.

    Attributes:
        expected: agents that are on their way back after a restart of the server.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Memory] = OrderedDict()
        self.expected: set[str] = set()

    def latest(self, instance_id: str) -> int:
        """Return the generation of the instance's latest connection; 0 when none is known."""
        known = self._known.get(instance_id)
        return 0 if known is None else known.generation

    def registered(self, instance: InstanceRef) -> None:
        """The instance has a new connection: what older ones of it still say is of no account from now on."""
        known = self.of(instance.instance_id)
        if instance.generation > known.generation:
            known.generation, known.token_id = instance.generation, ""

    def stored(self, instance: InstanceRef, token_id: str) -> None:
        """This connection of the instance, made with this token, is on disk."""
        known = self._known.get(instance.instance_id)
        if known is not None and known.generation == instance.generation:
            known.token_id = token_id

    def unsettled(self, instance_id: str) -> None:
        """Another connection of the instance is being stored: nothing stands before that has ended."""
        known = self._known.get(instance_id)
        if known is not None:
            known.token_id = ""

    def stands(self, instance_id: str, token_id: str) -> bool:
        """Tell whether the latest connection of the instance is on disk, and was made with this token."""
        known = self._known.get(instance_id)
        return known is not None and bool(known.token_id) and known.token_id == token_id

    def waits(self, instance_id: str, seconds: float) -> None:
        """The instance is not connected, and has so long to come back."""
        self.of(instance_id).until = self._clock() + seconds

    def awaits(self, instance_id: str) -> float:
        """Return for how many seconds more the attempts of an instance that is not connected wait for it."""
        known = self._known.get(instance_id)
        return 0.0 if known is None else max(0.0, known.until - self._clock())

    def find(self, instance_id: str) -> _Memory | None:
        """Return what is remembered of it."""
        return self._known.get(instance_id)

    def of(self, instance_id: str) -> _Memory:
        """Return what is remembered of it, from now on if nothing was."""
        known = self._known.setdefault(instance_id, _Memory())
        self._known.move_to_end(instance_id)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return known


class Heartbeats:
    """What the beats of connected instances say."""

    def __init__(self, agents: Mapping[str, Mapping[str, _Account]], clock: Callable[[], float]) -> None:
        """Take the connected instances of each agent, which come and leave elsewhere."""
        self._agents = agents
        self._clock = clock
        # Those whose last beat said more than that they are there.
        self._behind: dict[InstanceRef, _Account] = {}

    def heard(self, said: Heard) -> None:
        """A beat of the instance came."""
        account = _account(self._agents, said.instance)
        if account is not None and account.instance == said.instance:
            account.heard_at = self._clock()
            account.beat = said
            if said.memory or said.resources is not None:
                account.sums = account.sums or MinuteSums()
                account.sums.add(said)
            account.oldest_result = said.oldest_result
            account.unheard = said.unheard
            if said.oldest_result or said.unheard:
                self._behind[said.instance] = account
            elif self._behind:
                self._behind.pop(said.instance, None)

    def take(self) -> Mapping[tuple[str, str], SpanFigures]:
        """Return what connected instances took since this was asked last, by agent and instance."""
        taken = {}
        for agent_id, accounts in self._agents.items():
            for instance_id, account in accounts.items():
                if account.sums is not None:
                    taken[agent_id, instance_id] = account.sums.figures()
                    account.sums = None
        return taken

    def left(self, instance: InstanceRef) -> None:
        """The connection has ended, or another has taken its place."""
        self._behind.pop(instance, None)

    def ended(self, instance: InstanceRef, attempt: RunningAttempt) -> None:
        """The instance has said how the attempt ended: it was there, whatever the last beat named."""
        account = _account(self._agents, instance)
        if account is not None and account.unheard:
            account.unheard = tuple(unheard for unheard in account.unheard if unheard != attempt)

    def abandon(self, attempt: RunningAttempt) -> None:
        """Ask of this attempt no more: its slot is given back."""
        for one in self._behind.values():
            one.unheard = tuple(unheard for unheard in one.unheard if unheard != attempt)

    def silent(self) -> Mapping[str, float]:
        """Return for each connected agent the seconds since any instance of it was heard last."""
        now = self._clock()
        return {
            agent_id: max(0.0, now - max(one.heard_at for one in accounts.values()))
            for agent_id, accounts in self._agents.items()
        }

    def unheard(self) -> Sequence[RunningAttempt]:
        """Return what takes a slot of a connected instance that does not say that it has it."""
        return [attempt for one in self._behind.values() for attempt in one.unheard]

    def oldest_results(self) -> Sequence[tuple[str, float]]:
        """Return (instance, seconds) for each that is connected and keeps a result: how long the oldest has waited.

        Here: nobody could acknowledge it while its agent was away.
        """
        now = self._clock()
        keeping = [one for one in self._behind.values() if one.oldest_result]
        return [(one.instance.instance_id, min(one.oldest_result, now - one.since)) for one in keeping]


def _account(agents: Mapping[str, Mapping[str, _Account]], instance: InstanceRef) -> _Account | None:
    return agents.get(instance.agent_id, {}).get(instance.instance_id)


class Credits:
    """The credit of all connected instances of all agents.

    Attributes:
        instances: their connections.
        beats: what they say of themselves.
        noticed: is told of each agent of which an instance is there now, or is not any more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take seconds that only ever pass."""
        self.instances = Instances(clock)
        self._clock = clock
        self._agents: dict[str, dict[str, _Account]] = {}
        self.beats = Heartbeats(self._agents, clock)
        self.noticed: Callable[[str], None] = lambda _: None
        self._reserved = 0
        self._closed = False

    # -- what routers say

    def granted(self, said: Credit) -> bool:
        """Take what was granted; True when the agent can be given something now."""
        instance = said.instance
        if instance.generation < self.instances.latest(instance.instance_id):
            return False
        account = _account(self._agents, instance)
        if account is None or account.instance != instance:
            account = self._arrived(said)
        account.granted = max(account.granted, said.granted)
        account.slots, account.holdup = said.slots, said.holdup
        account.heard_at = self._clock()
        return bool(self._free(account))

    def departed(self, said: Departed) -> bool:
        """The connection ended; False when a newer one has taken its place already."""
        instance = said.instance
        if instance.generation < self.instances.latest(instance.instance_id):
            return False
        self.instances.registered(instance)
        self.instances.waits(instance.instance_id, said.grace)
        account = self._agents.get(instance.agent_id, {}).pop(instance.instance_id, None)
        if account is not None:
            self.beats.left(account.instance)
            known = self.instances.of(instance.instance_id)
            known.drained, known.reserved = account.holdup is Holdup.DRAINING, account.reserved
            if not self._agents[instance.agent_id]:
                del self._agents[instance.agent_id]
            self.noticed(instance.agent_id)
        return True

    def close(self) -> None:
        """Nothing more is given out."""
        self._closed = True

    # -- what the engine does

    def reserve(self, agent_id: str, among: Collection[str] | None = None) -> InstanceRef | None:
        """Take a free slot of the agent's least loaded instance, of all or of these; None when there is none."""
        chosen = min(filter(self._free, self._accounts(agent_id, among)), key=_load, default=None)
        if chosen is None:
            return None
        chosen.turn = 1 + max(one.turn for one in self._agents[agent_id].values())
        chosen.reserved += 1
        self._reserved += 1
        return chosen.instance

    def release(self, slot: InstanceRef) -> None:
        """Give a slot back that was not used."""
        holder = _account(self._agents, slot) or self.instances.find(slot.instance_id)
        if holder is not None and holder.reserved:
            holder.reserved -= 1
            self._reserved -= 1

    def give(self, slot: InstanceRef) -> InstanceRef | None:
        """Use a reserved slot; return the connection that the task is for, or None: it drained and does not come back.

        An instance that has left is given it all the same, when it comes back.
        """
        self.release(slot)
        account = _account(self._agents, slot)
        if account is not None:
            account.given += 1
            return account.instance
        known = self.instances.find(slot.instance_id)
        return None if known is not None and known.drained else slot

    # -- what anybody may ask

    def online(self, agent_id: str) -> int:
        """Return how many instances of the agent are connected and not about to end."""
        return sum(one.holdup is not Holdup.DRAINING for one in self._accounts(agent_id))

    def free(self, agent_id: str, among: Collection[str] | None = None) -> int:
        """Return how many tasks the agent's instances could be given now, all or these."""
        return sum(map(self._free, self._accounts(agent_id, among)))

    def usage(self, agent_id: str) -> Sequence[Usage]:
        """Return the agent's connected instances, with the slots of each that are taken."""
        now = self._clock()
        return [
            Usage(
                one.instance.instance_id,
                one.slots - one.left,
                one.slots,
                one.holdup is Holdup.DRAINING,
                max(0.0, now - one.heard_at),
                one.holdup,
                one.beat,
            )
            for one in self._accounts(agent_id)
        ]

    def totals(self) -> tuple[Counter[Holdup | None], int, int]:
        """Return how many instances of all agents are held up by what, how many slots they have taken, and have."""
        held_up: Counter[Holdup | None] = Counter()
        used = slots = 0
        for accounts in self._agents.values():
            for one in accounts.values():
                held_up[one.holdup] += 1
                used, slots = used + one.slots - one.left, slots + one.slots
        return held_up, used, slots

    def awaits(self, agent_id: str, instance_id: str) -> float | None:
        """Return for how many seconds more the instance's attempts wait for it; None while it is connected."""
        return None if instance_id in self._agents.get(agent_id, ()) else self.instances.awaits(instance_id)

    def reservations(self) -> Sequence[tuple[InstanceRef, int]]:
        """Return the slots that are reserved for tasks which are not given yet: how many of each instance."""
        if not self._reserved:
            return []
        return [
            (one.instance, one.reserved)
            for accounts in self._agents.values()
            for one in accounts.values()
            if one.reserved
        ]

    # -- inside

    def _accounts(self, agent_id: str, among: Collection[str] | None = None) -> Iterator[_Account]:
        for instance_id, account in self._agents.get(agent_id, {}).items():
            if among is None or instance_id in among:
                yield account

    def _free(self, account: _Account) -> int:
        return 0 if self._closed or account.holdup is not None else account.left

    def _arrived(self, said: Credit) -> _Account:
        """A connection is there; what is reserved of the instance stays reserved."""
        instance = said.instance
        self.instances.registered(instance)
        before, known = _account(self._agents, instance), self.instances.of(instance.instance_id)
        if before is not None:
            self.beats.left(before.instance)
        reserved = known.reserved if before is None else before.reserved
        known.reserved, known.drained = 0, False
        now = self._clock()
        account = _Account(instance, said.slots, said.granted, said.holdup, now, now, reserved)
        self._agents.setdefault(instance.agent_id, {})[instance.instance_id] = account
        if said.holdup is not Holdup.DRAINING:
            # Not when it is admitted: until its first credit is here it is neither expected nor there.
            self.instances.expected.discard(instance.agent_id)
        self.noticed(instance.agent_id)
        return account


def _load(account: _Account) -> tuple[float, int]:
    """Return what an instance has, of what it could; among equals it is the turn of whoever has waited longest, and
    later for one whose machine is busy."""
    return (account.slots - account.left) / account.slots, account.turn + HANDICAP * _busy(account)


def _busy(account: _Account) -> int:
    """Return how many whole quarters of its machine's processor are used, 3 at the most; 0 while nobody knows."""
    resources = None if account.beat is None else account.beat.resources
    return 0 if resources is None else min(3, int(resources.machine_cpu / 25))
