"""Behind a proxy that is named a request comes from whoever asked that, and from nobody else's choice."""

from __future__ import annotations

import pytest

from agentic_atlas.auth.proxies import NO_PROXY, Proxies
from agentic_atlas.errors import ConfigurationError

NAMED = Proxies(["127.0.0.1", " 10.0.0.0/8", "fd00::/8", ""])


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin"),
    [
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        ("::ffff:127.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7, nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7:1234"], "127.0.0.1"),
        ("127.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("198.51.100.9", ["192.0.2.7"], "198.51.100.9"),
        ("", ["192.0.2.7"], ""),
        ("127.0.0.1", [",".join(["192.0.2.7"] + ["10.0.0.1"] * 40)], "10.0.0.1"),
    ],
)
def test_only_what_a_named_proxy_wrote_counts(peer: str, forwarded: list[str], origin: str) -> None:
    assert NAMED.origin(peer, forwarded) == origin


def test_without_a_named_proxy_nobody_is_believed() -> None:
    assert not NO_PROXY
    assert NO_PROXY.origin("127.0.0.1", ["192.0.2.7"]) == "127.0.0.1"


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"^'proxy\.example' in ATLAS_TRUSTED_PROXIES is no address"):
        Proxies(["proxy.example"])
