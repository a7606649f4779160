"""The calls to other agents that have no final reply yet.

Within the router's limit they are sent, those over it wait for others to end. After a cut each is sent again, with the
number of the last event seen, and is still the same call.
"""

from collections import deque

from msgspec.structs import replace

from agentic_atlas.protocol.messages import Call, Limits, Reply, ReplyKind
from agentic_atlas.sdk.fitting import fit
from agentic_atlas.sdk.ledger.attempts import Key


class OpenCalls:
    """Calls of all attempts, each until its last reply."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        """As they would be sent now: `after` is the `seq` of the last event seen."""
        self._of: dict[Key, set[str]] = {}
        # Of this connection; empty between two.
        self._waiting: deque[str] = deque()
        self._sent: set[str] = set()

    def add(self, call: Call) -> None:
        """Take a call; the same one again changes nothing."""
        if call.id not in self._calls:
            self._calls[call.id] = call
            self._of.setdefault((call.task, call.attempt), set()).add(call.id)
            self._waiting.append(call.id)

    def reply(self, reply: Reply) -> bool:
        """Take a reply; True when it is new and someone waits for it."""
        call = self._calls.get(reply.id)
        if call is None:
            return False
        if reply.kind is ReplyKind.RESULT:
            self.forget(reply.id)
            return True
        if reply.seq <= call.after:
            return False
        self._calls[reply.id] = replace(call, after=reply.seq)
        return True

    def forget(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more."""
        call = self._calls.pop(call_id, None)
        self._sent.discard(call_id)
        if call is None:
            return
        key = (call.task, call.attempt)
        self._of[key].discard(call_id)
        if not self._of[key]:
            del self._of[key]

    def forget_of(self, key: Key) -> None:
        """The attempt is over, and its calls with it."""
        for call_id in list(self._of.get(key, ())):
            self.forget(call_id)

    def again(self) -> None:
        """Whatever was sent is to be sent once more, in the order of the first time."""
        self._sent.clear()
        self._waiting = deque(self._calls)

    def next(self, limits: Limits) -> Call | Reply | None:
        """Return the call to send now, or the answer to one that may not be sent, or None."""
        while self._waiting and len(self._sent) < limits.open_calls:
            call = self._calls.get(self._waiting.popleft())
            if call is None:
                continue
            message = fit(call, limits)
            if isinstance(message, Reply):
                self.forget(message.id)
                return message
            self._sent.add(call.id)
            return call
        return None
