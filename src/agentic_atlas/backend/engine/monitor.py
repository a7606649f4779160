"""Looks once a second for tasks that hang. There should be none: what is found is a fault of ours.

It is told in the log, in the answer about health and as metrics, and set right as far as that can be done from here:
whoever runs the network should not have to. What happens for a moment between two steps is a finding when it lasts.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.backend.ports import FaultLog, RouterPort
from agentic_atlas.protocol.inside.messages import Abandon, Adopt, Audit
from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.protocol.tasks import Loss

LOOKS = 5
"""Looks in a row: counted and not timed, so that a process which stood still suspects nobody for it."""


class Findings:
    """Suspicions that have lasted.

    Attributes:
        ever: how many findings there were of each kind since the start.
    """

    def __init__(self, patience: int = LOOKS) -> None:
        self._patience = patience
        self._looks: dict[Finding, int] = {}
        self.ever: Counter[Invariant] = Counter()

    def look(self, suspects: Iterable[Finding]) -> list[Finding]:
        """Take what is suspected now; return what has become a finding with this look."""
        self._looks = {suspect: self._looks.get(suspect, 0) + 1 for suspect in suspects}
        new = [finding for finding, looks in self._looks.items() if looks == self._patience]
        self.ever.update(finding.invariant for finding in new)
        return new

    def now(self) -> dict[Invariant, int]:
        """Return how many there are of each kind at present."""
        lasting = Counter(finding.invariant for finding, looks in self._looks.items() if looks >= self._patience)
        return {invariant: lasting[invariant] for invariant in Invariant}


LOOK_EVERY = 1.0
"""Seconds between two looks at what is open."""

RESULT_WITHIN = 60.0
"""Seconds an agent that is connected may have to keep a result: twice what a report may take to be stored."""


_SAID_BY_AGENTS = (Invariant.RESULT_OVERDUE, Invariant.ATTEMPT_NOT_RUNNING)


class Monitor:
    """The invariants of a running network.

    Attributes:
        findings: what lasts now, and what was found since the start.
        unleased: attempts of which the router last said that nobody would miss them.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        credit: Credits,
        router: RouterPort,
        clock: Callable[[], float],
        log: FaultLog,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.findings = Findings()
        self.unleased: Collection[RunningAttempt] = ()
        self._dispatcher = dispatcher
        self._credit = credit
        self._router = router
        self._clock = clock
        self._log = log
        self._sleep = sleep

    @property
    def content(self) -> bool:
        """True while nothing lasts that must not. What agents say of themselves is counted, and proves nothing."""
        now = self.findings.now()
        return not any(count for invariant, count in now.items() if invariant not in _SAID_BY_AGENTS)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Look once; tell and set right what has lasted for too long."""
        for finding in self.findings.look(self._suspects()):
            self._log.error("invariant_violated", invariant=finding.invariant.value, subject=finding.subject)
            self._set_right(finding)

    def _suspects(self) -> Iterator[Finding]:
        yield from self._of_tasks()
        yield from self._of_slots()
        for instance_id, seconds in self._credit.beats.oldest_results():
            if seconds > RESULT_WITHIN:
                yield Finding(Invariant.RESULT_OVERDUE, instance_id)

    def _of_tasks(self) -> Iterator[Finding]:
        census = self._dispatcher.census
        held = {RunningAttempt(task.id, task.attempt) for task in census.held()}
        if held:
            # What is not held any more when the answer comes needs no lease.
            self._router.say(Audit(tuple(held)))
        for attempt in held.intersection(self.unleased):
            yield Finding(Invariant.RUNNING_WITHOUT_LEASE, attempt.task)
        for agent_id in census.queues.agents():
            if self._dispatcher.claims.stalls(agent_id):
                yield Finding(Invariant.WAITING_BESIDE_FREE_SLOTS, agent_id)

    def _of_slots(self) -> Iterator[Finding]:
        for slot, _ in self._credit.reservations():
            if not self._dispatcher.brings(slot.agent_id):
                yield Finding(Invariant.SLOT_KEPT_FOR_NOTHING, slot.instance_id)
        for attempt in self._credit.beats.unheard():
            yield Finding(Invariant.ATTEMPT_NOT_RUNNING, attempt.task)

    def _set_right(self, finding: Finding) -> None:
        if finding.invariant is Invariant.WAITING_BESIDE_FREE_SLOTS:
            self._dispatcher.claims.waits(finding.subject)
            self._dispatcher.claims.make(finding.subject)
        elif finding.invariant is Invariant.RUNNING_WITHOUT_LEASE:
            task = self._dispatcher.census.get(finding.subject)
            if task is not None:
                # Its instance has one grace period to show that it is still at it.
                self._router.say(Adopt(task.id, task.attempt, task.instance_id or ""))
        elif finding.invariant is Invariant.SLOT_KEPT_FOR_NOTHING:
            self._release(finding.subject)
        elif finding.invariant is Invariant.ATTEMPT_NOT_RUNNING:
            for attempt in self._credit.beats.unheard():
                if attempt.task == finding.subject:
                    self._abandon(attempt)

    def _release(self, instance_id: str) -> None:
        for slot, number in self._credit.reservations():
            if slot.instance_id == instance_id:
                for _ in range(number):
                    self._credit.release(slot)
                self._dispatcher.claims.freed(slot.agent_id)

    def _abandon(self, lost: RunningAttempt) -> None:
        """It is lost, should it be the task's current one; and nobody has its slot."""
        now = self._clock()
        self._dispatcher.change(lost.task, lambda task: lifecycle.lose(task, lost.attempt, now, Loss.FORGOTTEN))
        self._credit.beats.abandon(lost)
        self._router.say(Abandon(lost.task, lost.attempt))
