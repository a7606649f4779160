"""Message tracing at the HTTP API: a line when a request comes, and one when it is answered."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from agentic_atlas.http.messages import Answered, Request, Response
from agentic_atlas.observe.logs import TRACE, Log

Answer = Callable[[Request], Awaitable[Answered]]
"""Answers a request."""

_TASK: Final = re.compile(r"tsk_[0-9A-Za-z]{1,64}")


def traced(answer: Answer, clock: Callable[[], float], log: Log) -> Answer:
    """Return what answers requests and tells of each, at level trace; else what was given.

    What is told of one is its path, without the query, and the task that it is about or that it has made.
    """
    if not log.is_enabled_for(TRACE):
        return answer

    async def answered(request: Request) -> Answered:
        began, about = clock(), _about(request.path)
        log.trace("request_came", method=request.method, path=request.path, **about)
        response = await answer(request)
        status, about = HTTPStatus.OK, about or _about(_location(response))
        if isinstance(response, Response):
            status = HTTPStatus(response.status)
        took = round(clock() - began, 4)
        log.trace("request_answered", method=request.method, path=request.path, status=int(status), took=took, **about)
        return response

    return answered


def _about(path: str) -> dict[str, str]:
    found = _TASK.search(path)
    return {"task": found[0]} if found else {}


def _location(response: Answered) -> str:
    if not isinstance(response, Response):
        return ""
    return next((value for name, value in response.fields if name == "location"), "")
