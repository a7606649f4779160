"""Cuts of what runs: when the connection of an attempt's instance is lost, and when it is there again.

Both become events of its task, and nothing is written of one whose connection holds. How long a cut took is known from
here: an instance that is away is remembered until it comes back.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import ConnectionData
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine.allowance import Allowance
from agentic_atlas.backend.engine.census import OpenTask
from agentic_atlas.backend.engine.credit import MOST_REMEMBERED, Credits
from agentic_atlas.backend.engine.dispatch import Dispatcher, outcome
from agentic_atlas.backend.ports import Changed, FaultLog, Write
from agentic_atlas.protocol.inside.messages import Departed, InstanceRef
from agentic_atlas.protocol.tasks import Loss

MOST_CUTS: Final = 60
"""Cuts of one instance in an hour that its tasks' events tell; of more they say nothing."""
_HOUR: Final = 3_600.0


class Cuts:
    """Tells of cuts in the events of the tasks that they concern."""

    def __init__(self, dispatcher: Dispatcher, credit: Credits, clock: Callable[[], float], log: FaultLog) -> None:
        self._dispatcher = dispatcher
        self._credit = credit
        self._clock = clock
        self._log = log
        self._since: dict[str, float] = {}
        self._told = Allowance(MOST_CUTS, _HOUR, keys=MOST_REMEMBERED)

    def lost(self, said: Departed) -> None:
        """A connection has ended that no other one has taken the place of: what its instance has goes on without it."""
        agent_id, instance_id = said.instance.agent_id, said.instance.instance_id
        held = [one for one in self._dispatcher.census.held_by(agent_id) if one.instance_id == instance_id]
        now = self._clock()
        if not held or self._told.wait(instance_id, now):
            return
        self._told.take(instance_id, now)
        # Of one that was not heard any more it is known since when; any other has ended right now.
        since = now - said.silent if said.why is Loss.SILENT else now
        self._lost(instance_id, held, since, said.why)

    def restarted(self, held: Iterable[Task], since: Mapping[str, float]) -> None:
        """The server was started: who has these tasks is expected back; `since`: when each had left, if it is known."""
        now = self._clock()
        for task in held:
            instance_id = task.instance_id or ""
            self._lost(instance_id, (task,), since.get(instance_id, now), Loss.ABSENT)

    def resumed(self, instance: InstanceRef, held: Iterable[Task]) -> None:
        """An instance is there again, and goes on with these."""
        now = self._clock()
        since = self._since.pop(instance.instance_id, None)
        if since is None:
            if self._credit.awaits(instance.agent_id, instance.instance_id) is not None:
                return
            # It came back before anybody had noticed that it was gone.
            since = now
        for task in held:
            self._tell(task, ConnectionData("resumed", instance.instance_id, round(now - since, 3)))

    def _lost(self, instance_id: str, held: Iterable[Task | OpenTask], since: float, why: Loss) -> None:
        self._since.setdefault(instance_id, since)
        while len(self._since) > MOST_REMEMBERED:
            del self._since[next(iter(self._since))]
        silent = round(max(0.0, self._clock() - since), 3)
        for task in held:
            self._tell(task, ConnectionData("lost", instance_id, silent, why))

    def _tell(self, task: Task | OpenTask, said: ConnectionData) -> None:
        change = partial(lifecycle.connection, attempt=task.attempt, said=said, now=self._clock())
        self._dispatcher.change(task.id, change).then(partial(self._over, task.id))

    def _over(self, task_id: str, write: Write[Changed]) -> None:
        # What can't be stored now is not told: by the time it could be, it would be wrong.
        outcome(write, self._log, "cut_not_told", task=task_id)
