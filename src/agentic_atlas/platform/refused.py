"""Errors as people see them: a page, a notice in the page that asked, or the way to the log-in. Programs get JSON."""

from typing import Final
from urllib.parse import urlsplit

from agentic_atlas.errors import AtlasError, Unauthenticated
from agentic_atlas.http import errors
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.return_path import login_path
from agentic_atlas.observe.redaction import redact
from agentic_atlas.platform.page import View, frame_of, html, see_other
from agentic_atlas.platform.page_actions import on_pages

_OF_PROGRAMS: Final = ("/api/", "/.well-known/")
_FOR_NOTICES: Final = (("hx-retarget", "#notices"), ("hx-reswap", "beforeend"))


class RefusedView(View, frozen=True):
    """Why there is nothing else to be seen.

    Attributes:
        status: of the answer.
        code: of the error.
        message: what was wrong, and what to do.
    """

    status: int
    code: str
    message: str


def refusal(request: Request, error: Exception) -> Response:
    """Return what a request is answered with that ended in an error."""
    plain = errors.answer(error)
    if request.path.startswith(_OF_PROGRAMS) or not prefers(request.all("accept"), "text/html", "application/json"):
        return plain
    in_page = request.first("hx-request") == "true"
    if isinstance(error, Unauthenticated):
        return _to_login(request, plain, in_page=in_page)
    info = errors.error_info(error) if isinstance(error, AtlasError) else None
    view = RefusedView(
        status=plain.status,
        code=info.code if info else "internal",
        message=on_pages(redact(info.message))
        if info
        else "something went wrong on the server; its log has the reason",
    )
    if in_page:
        return html("notice.html", view, frame_of(None), *_FOR_NOTICES, status=plain.status)
    return html("refused.html", view, frame_of(request.who), status=plain.status)


def _to_login(request: Request, plain: Response, *, in_page: bool) -> Response:
    if not in_page:
        asked = f"{request.path}?{request.query}" if request.query else request.path
        return see_other(login_path(asked if request.method in ("GET", "HEAD") else ""))
    back = _path_in(request.first("hx-current-url") or "")
    return Response(plain.status, [("hx-redirect", login_path(back)), ("cache-control", "no-store")])


def _path_in(url: str) -> str:
    """Return path and query of the page that asked; nothing where it says an address that is none."""
    try:
        seen = urlsplit(url)
    except ValueError:
        return ""
    return f"{seen.path}?{seen.query}" if seen.query else seen.path
