"""Addresses that are told lead somewhere: for this machine, for others, behind a proxy."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from agentic_atlas.compose.addresses import Addresses, addresses, check_exposure
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.settings import Settings


def of(host: str, listening: str | None = None, certified: tuple[str, ...] | None = None, **more: str) -> Addresses:
    return addresses(Settings(host=host, **more), listening or host, 8000, 8080, certified)


def test_a_network_for_this_machine_alone_is_where_it_listens() -> None:
    where = of("127.0.0.1")
    assert (where.api_url, where.router_url) == ("http://127.0.0.1:8000", "ws://127.0.0.1:8080/ws")
    assert (where.for_others, where.exposed) == ((), False)
    assert where.told.router_for("example.org") == where.router_url


@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_one_that_listens_everywhere_is_at_a_loopback_address_and_for_others_at_the_machines_name(
    host: str, here: str
) -> None:
    where = of(host)
    assert (where.api_url, where.router_url) == (f"http://{here}:8000", f"ws://{here}:8080/ws")
    assert where.for_others == (f"http://{socket.gethostname()}:8000", f"ws://{socket.gethostname()}:8080/ws")
    assert where.exposed
    assert where.told.router_for("192.0.2.7") == "ws://192.0.2.7:8080/ws"
    assert where.told.router_for("2001:db8::7") == "ws://[2001:db8::7]:8080/ws"
    assert where.told.router_for(None) == where.router_url


def test_a_name_that_stands_for_every_address_counts_as_one() -> None:
    assert of("0", "0.0.0.0").api_url == "http://127.0.0.1:8000"


def test_one_that_listens_on_an_address_of_the_network_is_exposed_at_it() -> None:
    where = of("192.0.2.7")
    assert where.for_others == ("http://192.0.2.7:8000", "ws://192.0.2.7:8080/ws")
    assert where.exposed


def test_public_addresses_are_what_people_are_told_and_with_tls_nothing_is_exposed() -> None:
    public = {"public_url": "https://atlas.example.org", "public_router_url": "wss://atlas.example.org/ws"}
    for host in ("127.0.0.1", "0.0.0.0"):
        where = of(host, **public)
        assert where.for_others == tuple(public.values())
        assert not where.exposed
        assert (where.told.api_url, where.told.router_for("192.0.2.7")) == tuple(public.values())
        assert where.api_url == "http://127.0.0.1:8000"
    assert of("0.0.0.0", public_url="https://atlas.example.org").exposed
    assert of("0.0.0.0", public_url="http://a.example", public_router_url="ws://a.example/ws").exposed


@pytest.mark.parametrize(
    ("certified", "here", "others"),
    [
        (("127.0.0.1", "atlas.example.org"), "127.0.0.1", "atlas.example.org"),
        (("localhost",), "localhost", "localhost"),
        (("*.example.org", "atlas.example.org"), "atlas.example.org", "atlas.example.org"),
        (("*.example.org",), "127.0.0.1", socket.gethostname()),
        ((), "127.0.0.1", socket.gethostname()),
    ],
)
def test_with_a_certificate_it_is_reached_by_the_names_that_this_is_for(
    certified: tuple[str, ...], here: str, others: str
) -> None:
    where = of("0.0.0.0", certified=certified)
    assert (where.api_url, where.router_url) == (f"https://{here}:8000", f"wss://{here}:8080/ws")
    assert where.for_others == (f"https://{others}:8000", f"wss://{others}:8080/ws")
    assert not where.exposed
    assert where.told.router_for("atlas.example.org") == "wss://atlas.example.org:8080/ws"


def test_one_at_a_name_that_a_wildcard_covers_is_reached_by_it() -> None:
    assert of("atlas.example.org", "192.0.2.7", ("*.example.org",)).api_url == "https://atlas.example.org:8000"


@pytest.mark.parametrize(
    ("more", "tls", "refused"),
    [
        ({"host": "127.0.0.1"}, False, False),
        ({"host": "localhost"}, False, False),
        ({"host": "0.0.0.0"}, False, True),
        ({"host": "0.0.0.0"}, True, False),
        ({"host": "192.0.2.7", "allow_plaintext": True}, False, False),
        ({"host": "::", "public_url": "https://a.example"}, False, True),
        ({"host": "::", "public_url": "https://a.example", "public_router_url": "wss://a.example/ws"}, False, False),
    ],
)
def test_what_others_could_read_is_refused_unless_it_is_meant(more: dict[str, Any], tls: bool, refused: bool) -> None:
    if refused:
        with pytest.raises(ConfigurationError, match="unencrypted"):
            check_exposure(Settings(**more), tls=tls)
    else:
        check_exposure(Settings(**more), tls=tls)
