"""What an error is answered with: a page, a notice, the way to the log-in, or JSON."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import Busy, Conflict, Forbidden, NotFound, Unauthenticated
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.platform.refused import refusal

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


def asked(path: str = "/agents", query: str = "", method: str = "GET", **fields: str) -> Request:
    named = {name.replace("_", "-"): [value] for name, value in fields.items()}
    return Request(method, path, query, {"host": ["atlas"], **named})


def field(answer: Response, name: str) -> str | None:
    return next((value for one, value in answer.fields if one == name), None)


@pytest.mark.parametrize(
    ("error", "status"), [(NotFound("no such agent"), 404), (Forbidden("not yours"), 403), (Conflict("there"), 409)]
)
def test_a_browser_is_shown_a_page(error: Exception, status: int) -> None:
    answer = refusal(asked(accept=BROWSER), error)
    assert answer.status == status
    assert "<h1>" in answer.body.decode()
    assert str(error) in answer.body.decode()
    assert "script-src 'self'" in (field(answer, "content-security-policy") or "")


def test_what_nobody_foresaw_is_told_without_its_reason() -> None:
    answer = refusal(asked(accept=BROWSER), ZeroDivisionError("secret"))
    assert answer.status == 500
    assert "secret" not in answer.body.decode()
    assert "its log has the reason" in answer.body.decode()


def test_what_is_quoted_is_escaped_and_secrets_are_left_out() -> None:
    text = refusal(asked(accept=BROWSER), NotFound("no <script> atlas_abcdefghijklmnopqrstuvwxyz0123456789ABCDEF")).body
    assert b"<script> " not in text
    assert b"abcdefghijklmnop" not in text


def test_a_part_of_a_page_gets_a_notice_that_goes_where_notices_are() -> None:
    answer = refusal(asked(accept="text/html", hx_request="true"), Busy("later"))
    assert answer.status == 429
    assert (field(answer, "hx-retarget"), field(answer, "hx-reswap")) == ("#notices", "beforeend")
    assert "<html" not in answer.body.decode()
    assert "later" in answer.body.decode()


def test_who_is_not_logged_in_is_led_there_and_back() -> None:
    answer = refusal(asked(query="after=x", accept=BROWSER), Unauthenticated("who?"))
    assert (answer.status, field(answer, "location")) == (303, "/login?next=/agents%3Fafter%3Dx")
    posted = refusal(asked("/agents/new", method="POST", accept=BROWSER), Unauthenticated("who?"))
    assert field(posted, "location") == "/login"


def test_a_part_of_a_page_leads_the_page_to_the_log_in_and_back_to_itself() -> None:
    fields = {"accept": "text/html", "hx_request": "true"}
    answer = refusal(asked("/part", hx_current_url="http://atlas/agents?x=1", **fields), Unauthenticated("who?"))
    assert (answer.status, field(answer, "hx-redirect")) == (401, "/login?next=/agents%3Fx%3D1")
    elsewhere = refusal(asked("/part", hx_current_url="http://atlas//evil.example", **fields), Unauthenticated("who?"))
    assert field(elsewhere, "hx-redirect") == "/login"
    nowhere = refusal(asked("/part", hx_current_url="http://[", **fields), Unauthenticated("who?"))
    assert (nowhere.status, field(nowhere, "hx-redirect")) == (401, "/login")


@pytest.mark.parametrize(
    ("path", "accept"), [("/agents", "*/*"), ("/agents", "application/json"), ("/api/v1/x", BROWSER)]
)
def test_programs_are_answered_in_json(path: str, accept: str) -> None:
    answer = refusal(asked(path, accept=accept), Unauthenticated("who?"))
    assert (answer.status, field(answer, "content-type")) == (401, "application/json")
