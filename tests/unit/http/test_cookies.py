"""Cookies are read and written by names that no other host can take, and used by pages of ours alone."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import Forbidden
from agentic_atlas.http.cookies import DEVICE, SESSION, Cookies
from agentic_atlas.http.messages import Request, RequestBody

PUBLIC = "https://atlas.example.org"


def asked(method: str = "GET", host: str = "atlas.example.org", **fields: str) -> Request:
    named = {name.replace("_", "-"): [value] for name, value in fields.items()}
    request = Request(method, "/", fields={"host": [host], **named})
    request.received("10.0.0.1", RequestBody(), None)
    return request


def test_a_visitor_is_where_they_come_from_and_what_their_browser_keeps() -> None:
    cookies = "a=b; atlas_session=s1; atlas_device=d1"
    visitor = Cookies().visitor(asked(cookie=cookies, user_agent="Firefox"))
    assert (visitor.address, visitor.agent) == ("10.0.0.1", "Firefox")
    assert (visitor.session, visitor.device) == ("s1", "d1")
    nobody = Cookies().visitor(asked())
    assert (nobody.agent, nobody.session, nobody.device) == ("", "", "")


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        ("atlas_session=s1", ""),
        ("__Host-atlas_session=s1", "s1"),
        ("atlas_session=planted; __Host-atlas_session=s1", "s1"),
        ("__Host-atlas_session=s1; __Host-atlas_session=s2", ""),
        ("__Host-atlas_session", ""),
        ("x__Host-atlas_session=s1", ""),
    ],
)
def test_behind_tls_a_cookie_counts_that_no_other_host_could_have_set(cookies: str, value: str) -> None:
    assert Cookies(PUBLIC).value(asked(cookie=cookies), SESSION) == value


@pytest.mark.parametrize(
    ("cookies", "request_", "secure"),
    [
        (Cookies(), asked(), False),
        (Cookies(tls=True), asked(), True),
        (Cookies(PUBLIC), asked(), True),
        (Cookies(PUBLIC), asked(host="127.0.0.1:8000"), False),
        (Cookies(PUBLIC), asked(host="127.0.0.1:8000", origin=PUBLIC), True),
        (Cookies(PUBLIC), asked(origin="http://atlas.example.org"), False),
    ],
)
def test_whether_it_came_over_tls_is_known_by_the_page_and_else_by_the_name(
    cookies: Cookies, request_: Request, secure: bool
) -> None:
    _, field = cookies.kept(request_, DEVICE, "d1", 60)
    name = "__Host-atlas_device" if secure else "atlas_device"
    assert field == f"{name}=d1; Path=/; Max-Age=60; HttpOnly; SameSite=Lax{'; Secure' * secure}"


@pytest.mark.parametrize(
    ("cookies", "host", "told"),
    [
        (Cookies(), "atlas.example.org", False),
        (Cookies("http://atlas.example.org"), "atlas.example.org", False),
        (Cookies(PUBLIC), "atlas.example.org:443", True),
        (Cookies(PUBLIC), "inner:8000", False),
        (Cookies(tls=True), "box.example.org:8000", True),
        (Cookies(tls=True), "localhost:8000", False),
        (Cookies(tls=True), "LOCALHOST.:8000", False),
        (Cookies(tls=True), "app.localhost", False),
    ],
)
def test_browsers_come_by_tls_alone_once_they_did_but_for_the_name_that_all_programs_of_a_machine_share(
    cookies: Cookies, host: str, told: bool
) -> None:
    assert cookies.tls_alone(asked(host=host)) == ([("strict-transport-security", "max-age=31536000")] * told)


OWN = [
    asked(),
    asked(sec_fetch_site="same-origin"),
    asked(sec_fetch_site="none", sec_fetch_mode="navigate"),
    asked(sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
    asked("POST", origin=PUBLIC),
    asked("POST", origin=PUBLIC, sec_fetch_site="same-origin"),
    asked("POST", host="inner:8000", origin=PUBLIC),
    asked("POST", host="127.0.0.1:8000", origin="http://127.0.0.1:8000"),
    asked("DELETE", sec_fetch_site="same-origin"),
]
FOREIGN = [
    asked(sec_fetch_site="cross-site"),
    asked(sec_fetch_site="same-site", sec_fetch_mode="cors"),
    asked(origin="https://evil.example.org"),
    asked("POST"),
    asked("POST", origin="null"),
    asked("POST", origin="https://evil.example.org"),
    asked("POST", origin="https://atlas.example.org:3000"),
    asked("POST", host="127.0.0.1:8000", origin="http://127.0.0.1:3000"),
    asked("POST", origin=PUBLIC, sec_fetch_site="cross-site"),
    asked("POST", origin=PUBLIC, sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
]


@pytest.mark.parametrize("number", range(len(OWN)))
def test_a_page_of_ours_acts_in_a_session(number: int) -> None:
    Cookies(PUBLIC).check_own_page(OWN[number])


@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_no_other_page_acts_in_a_session(number: int) -> None:
    with pytest.raises(Forbidden) as refused:
        Cookies(PUBLIC).check_own_page(FOREIGN[number])
    assert refused.value.code == "cross_site"
