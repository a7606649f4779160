"""Which requests are for this network, and which come from somebody else's web page."""

from __future__ import annotations

import pytest

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import AtlasError

HOSTS = Hosts(["https://Atlas.Example.org", "wss://router.example.org/ws", "my.lan.", ".inner.example", ""])


def code(error: pytest.ExceptionInfo[AtlasError]) -> str:
    return error.value.code


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8000",
        "LOCALHOST",
        "localhost.",
        "app.localhost:8000",
        "127.0.0.1:8000",
        "10.1.2.3",
        "[::1]:8000",
        "[fe80::1]",
        "box",
        "atlas:8000",
        "atlas.example.org",
        "ATLAS.example.org.:443",
        "router.example.org",
        "my.lan",
        "a.inner.example",
    ],
)
def test_addresses_and_names_that_are_ours_or_that_no_page_can_have_are_answered(host: str) -> None:
    assert HOSTS.check([host]) == host


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:8000",
        "localhost.evil.example",
        "example.org",
        "www.atlas.example.org",
        "inner.example",
        "notinner.example",
        "0x7f.1",
        "127.1",
    ],
)
def test_a_name_that_a_page_could_let_point_here_is_not_answered(host: str) -> None:
    with pytest.raises(AtlasError) as refused:
        HOSTS.check([host])
    assert code(refused) == "foreign_host"
    assert "ATLAS_ALLOWED_HOSTS" in refused.value.message
    assert host not in refused.value.message, "nothing that a peer sent is said back"


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["localhost", "localhost"],
        [""],
        ["local host"],
        ["localhost:http"],
        ["localhost:123456"],
        ["ada@localhost"],
        ["localhost/ws"],
        ["[::1"],
        ["::1"],
        ["[::::]"],
        ["[1.2.3.4]"],
        ["a" * 300],
        ["h\u00f6st.example"],
        ["localhost\n"],
    ],
)
def test_a_request_names_one_host(values: list[str]) -> None:
    with pytest.raises(AtlasError) as refused:
        HOSTS.check(values)
    assert code(refused) == "bad_host"


def test_a_door_without_names_of_its_own_answers_to_addresses_and_local_names_alone() -> None:
    assert Hosts().check(["127.0.0.1"])
    with pytest.raises(AtlasError):
        Hosts().check(["atlas.example.org"])


def test_a_star_answers_to_every_name_and_still_to_one_alone() -> None:
    assert Hosts(["*"]).check(["evil.example"])
    with pytest.raises(AtlasError):
        Hosts(["*"]).check([])


@pytest.mark.parametrize(
    ("origins", "sites"),
    [
        ([], []),
        ([], ["same-origin"]),
        ([], ["none"]),
        (["http://localhost:8000"], []),
        (["https://atlas.example.org"], []),
        (["https://odd.example"], ["same-origin"]),
    ],
)
def test_a_program_and_a_page_of_our_own_may_act(origins: list[str], sites: list[str]) -> None:
    HOSTS.check_page("localhost:8000", origins, sites)


@pytest.mark.parametrize(
    ("origins", "sites"),
    [
        ([], ["cross-site"]),
        ([], ["same-site"]),
        ([], ["same-origin", "cross-site"]),
        ([], ["nonsense"]),
        (["http://localhost:8000"], ["cross-site"]),
        (["http://localhost:3000"], []),
        (["http://evil.example"], []),
        (["https://www.atlas.example.org"], []),
        (["null"], []),
        ([""], []),
        (["http://localhost:8000", "http://evil.example"], []),
        (["http://[", "x"], []),
    ],
)
def test_a_page_of_another_site_may_not_act(origins: list[str], sites: list[str]) -> None:
    with pytest.raises(AtlasError) as refused:
        HOSTS.check_page("localhost:8000", origins, sites)
    assert code(refused) == "cross_site"
