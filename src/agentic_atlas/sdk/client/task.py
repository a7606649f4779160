"""One task: what is asked for, seen to here, and once it is submitted its result, its events, its end."""

from __future__ import annotations

import math
import numbers
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

import msgspec
from msgspec import Raw

from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, Unavailable
from agentic_atlas.protocol.caller.tasks import (
    AnswerRequest,
    CancelRequest,
    EventInfo,
    SubmitRequest,
    TaskInfo,
    TaskOptions,
)
from agentic_atlas.protocol.caller.traces import TraceInfo
from agentic_atlas.sdk.client.errors import ConnectionCut, NotFinished
from agentic_atlas.sdk.client.http import WAITING_PATIENCE, Api, Tries, checked, segment
from agentic_atlas.sdk.forms.plain import encode_answer, encode_input

_SOON = 0.5
_TOLD = 200
"""Characters of a question in an error."""


class TaskRequest(TaskOptions, frozen=True, kw_only=True):
    """One task to submit, for `client.tasks.batch`; its options are those of `client.submit`."""

    agent: str
    """`name`, or `owner/name`."""
    skill: str
    input: Mapping[str, Any] = {}
    """The skill's parameters."""


def submission(request: TaskRequest, key: str) -> SubmitRequest:
    """Return what is sent for a task, with an idempotency key, its own or this one: sending it twice is submitting it
    once.

    Raises:
        InvalidInput: the input has no JSON form, or an option is out of its bounds.
    """
    given = msgspec.structs.asdict(request)
    given["input"] = Raw(encode_input(request.input, _write_object))
    if request.idempotency_key is None:
        given["idempotency_key"] = key
    return checked(SubmitRequest(**given))


def _write_object(value: object) -> object:
    # Pydantic is there already when such an object is; without one it need not be loaded for a call.
    from agentic_atlas.sdk.forms.typed import write_object

    return write_object(value)


def merged(input: Mapping[str, Any] | None, fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the whole input of a task.

    Raises:
        InvalidInput: a field is in both, or the input is no mapping.
    """
    if input is not None and not isinstance(input, Mapping):
        raise InvalidInput("an input has names: call(agent, skill, name=value), or a mapping as the third argument")
    twice = fields.keys() & (input or {}).keys()
    if twice:
        raise InvalidInput(f"given twice, in the mapping and as keyword: {', '.join(sorted(twice))}")
    return {**(input or {}), **fields}


def hinted(error: InvalidInput, fields: Iterable[str]) -> InvalidInput:
    """Return an error of a call, with where options go when fields of its input, which it refuses, are called so."""
    meant = [name for name in fields if name in TaskOptions.__struct_fields__ and name in error.message]
    if not meant:
        return error
    hint = f"as options of a task, {', '.join(meant)} can be given to submit, not to call"
    return InvalidInput(f"{error.message}; {hint}", code=error.code, detail=error.detail)


def unanswered(info: TaskInfo) -> str:
    """Return what there is to add of a task that was not done: it has asked something that nobody has answered."""
    asked = info.question
    return f", and waits for an answer to question {asked.number}: {asked.question[:_TOLD]}" if asked else ""


class TaskHandle:
    """A task of this client's. It lives in the server: losing the handle, or the process, loses nothing."""

    def __init__(self, api: Api, info: TaskInfo) -> None:
        self._api = api
        self._info = info

    def __repr__(self) -> str:
        return f"<task {self.id} {self.info.state}>"

    @property
    def id(self) -> str:
        """The task's id, for `client.tasks.get(id)` later or elsewhere."""
        return self._info.id

    @property
    def info(self) -> TaskInfo:
        """The task as it was when the server last answered."""
        return self._info

    async def refresh(self, *, wait: float = 0.0) -> TaskInfo:
        """Ask for the task as it is now; with `wait`, as soon as it is done but after so many seconds at the latest.

        Raises:
            AtlasError: there was no answer, or the task is not there any more.
        """
        self._info = await show(self._api, self.id, wait)
        return self.info

    async def wait(self, timeout: float | None = None) -> TaskInfo:
        """Wait until the task is done, however it ends.

        Raises:
            NotFinished: it was not done after `timeout` seconds; the task goes on.
            AtlasError: the server did not answer for `WAITING_PATIENCE` seconds.
        """
        sources, timeout = self._api.sources, waiting_time(timeout)
        end = None if timeout is None else sources.clock() + timeout
        while not self.info.done:
            asked = sources.clock()
            left = self._api.longest_wait if end is None else min(self._api.longest_wait, end - asked)
            if left <= 0:
                text = f"task {self.id} was not done after {timeout:g} s; it goes on{unanswered(self.info)}"
                raise NotFinished(text, task_id=self.id)
            with self._going_on():
                info = await self.refresh(wait=left)
            if not info.done and sources.clock() - asked < left / 2:
                # A server that stops answers before the time is over: it is not asked without a break.
                await sources.sleep(min(_SOON, left))
        return self.info

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the task's output, a JSON value.

        Raises:
            TaskError: the task ended without one; the code is the task's own.
            NotFinished: it was not done after `timeout` seconds; the task goes on.
            AtlasError: the server did not answer.
        """
        info = await self.wait(timeout)
        if info.failure is not None:
            raise info.failure
        return info.output

    async def cancel(self, reason: str | None = None) -> TaskInfo:
        """Ask for the task to be stopped; it is done when its state says so. No effect on one that is done already."""
        self._info = await cancel(self._api, self.id, reason)
        return self.info

    async def answer(self, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer a question of the task, the oldest open one unless its number is given.

        Sending it twice, because a connection was lost, is answering once.

        Raises:
            Conflict: no such question is open (`no_open_question`).
            InvalidInput: the answer has no JSON form, or does not fit the question's schema; the question stays open.
        """
        self._info = await answer(self._api, self.id, value, question)
        return self.info

    async def retry(self) -> TaskHandle:
        """Submit the same request again, as a new task with `retry_of` set."""
        return TaskHandle(self._api, await retry(self._api, self.id))

    async def events(self, after: int = 0) -> AsyncGenerator[EventInfo, None]:
        """Yield the task's events in order, those of the past first, until it is done.

        A lost connection is taken up again behind the last event that came, so none is missing and none comes twice.
        A consumer that leaves early closes the connection sooner with `contextlib.aclosing`.

        Args:
            after: `seq` of the last event already seen.

        Raises:
            AtlasError: the server did not answer for `WAITING_PATIENCE` seconds, or the task is not there.
        """
        tries, ended = Tries(self._api.sources, WAITING_PATIENCE), False
        while True:
            try:
                async with aclosing(self._stream(after, tries)) as stream:
                    async for event in stream:
                        after, ended = event.seq, event.ends
                        yield event
                if ended or ((await self.refresh()).done and self.info.last_seq <= after):
                    return
                raise ConnectionCut("the server ended the task's events before the task", retry_after=0.0)
            except AtlasError as error:
                with self._going_on():
                    await tries.again(error)

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Say in the error for a server that is away which task it has: submitted anew, it would be done twice."""
        try:
            yield
        except Unavailable as error:
            text = f"{error.message} (task {self.id} goes on there: ask for it later, do not submit it again)"
            detail = {"task_id": self.id}
            raise Unavailable(text, code=error.code, retry_after=error.retry_after, detail=detail) from error

    async def _stream(self, after: int, tries: Tries) -> AsyncGenerator[EventInfo, None]:
        """Yield the events of one connection that are new; the last one of the task ends it."""
        async with aclosing(self._api.events(f"{_path(self.id)}/events", after)) as parts:
            async for part in parts:
                tries.alive()
                for event in part:
                    if event.seq <= after:
                        continue
                    after = event.seq
                    tries.progress()
                    yield event
                    if event.ends:
                        return


async def show(api: Api, id: str, wait: float = 0.0) -> TaskInfo:
    """Ask for a task; see `TaskHandle.refresh`."""
    query = {"wait": round(wait, 3)} if wait > 0 else {}
    patience = WAITING_PATIENCE if wait > 0 else None
    return await api.send("GET", _path(id), TaskInfo, query=query, patience=patience)


async def trace(api: Api, id: str) -> TraceInfo:
    """Ask for all tasks of a task's trace."""
    return await api.send("GET", f"{_path(id)}/trace", TraceInfo)


async def cancel(api: Api, id: str, reason: str | None) -> TaskInfo:
    """Ask for a task to be stopped; see `TaskHandle.cancel`."""
    asked = CancelRequest() if reason is None else checked(CancelRequest(reason=reason))
    return await api.send("POST", f"{_path(id)}/cancel", TaskInfo, body=asked)


async def answer(api: Api, id: str, value: object, question: int | None) -> TaskInfo:
    """Answer a question of a task; see `TaskHandle.answer`."""
    encoded = Raw(encode_answer(value, _write_object))
    if question is None:
        # The number is part of the request: one that is sent again must not answer the question after this one.
        asked = (await show(api, id)).question
        if asked is None:
            raise Conflict(f"no question of task {id} is open", code="no_open_question")
        question = asked.number
    body = checked(AnswerRequest(answer=encoded, question=question))
    return await api.send("POST", f"{_path(id)}/input", TaskInfo, body=body)


async def retry(api: Api, id: str) -> TaskInfo:
    """Submit a task's request again; see `TaskHandle.retry`."""
    return await api.send("POST", f"{_path(id)}/retry", TaskInfo, repeatable=False)


def _path(id: str) -> str:
    return f"/tasks/{segment(id)}"


def waiting_time(timeout: float | None) -> float | None:
    """Return a wait in seconds, None for one without an end.

    Raises:
        InvalidInput: it is no number of seconds: under 0, NaN, or of another type.
    """
    if timeout is None or timeout == math.inf:
        return None
    if not (is_number(timeout) and timeout >= 0):
        raise InvalidInput(f"timeout is {timeout!r}: give seconds, or None to wait as long as it takes")
    return float(timeout)


def is_number(value: object) -> bool:
    """Tell whether a value is a number, of seconds for instance."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
