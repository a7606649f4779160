"""The way to the API, by what is set around a program: used, or named in a sentence; never somebody else's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.address import address
from agentic_atlas.sdk.client import way

SECURE = address("https://atlas.example.org", "key")
PLAIN = address("http://atlas.example.org", "key")
HERE = address("http://127.0.0.1:8000", "key")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that says nothing of proxies and certificates."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def named(where: object = SECURE) -> str | None:
    found = way.proxy(where)  # type: ignore[arg-type]
    return None if found is None else f"http://{found.host}:{found.port}"


def test_the_proxy_of_the_scheme_is_used_or_that_of_all(bare: pytest.MonkeyPatch) -> None:
    assert named() is None
    bare.setenv("ALL_PROXY", "http://all.example:3128")
    assert named() == named(PLAIN) == "http://all.example:3128"
    bare.setenv("HTTPS_PROXY", "secure.example:3128")
    assert (named(), named(PLAIN)) == ("http://secure.example:3128", "http://all.example:3128")


def test_this_machine_is_reached_without_a_proxy_whatever_is_set(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    assert named(HERE) is None


@pytest.mark.parametrize(("no_proxy", "direct"), [("example.org", True), ("*", True), ("fd00::/8,10.0.0.0/8", False)])
def test_what_no_proxy_says_is_kept_to_and_what_it_cannot_mean_matches_nothing(
    bare: pytest.MonkeyPatch, no_proxy: str, direct: bool
) -> None:
    bare.setenv("HTTPS_PROXY", "http://secure.example:3128")
    bare.setenv("NO_PROXY", no_proxy)
    assert (named() is None) is direct


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
def test_a_proxy_that_does_not_speak_plain_http_is_told_with_its_variable(bare: pytest.MonkeyPatch, name: str) -> None:
    bare.setenv(name, "socks5://user:secret@127.0.0.1:1080")
    with pytest.raises(ConfigurationError, match=rf"{name} names a proxy that speaks SOCKS: name one .*HTTP") as caught:
        named()
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("value", ["ftp://proxy.example", "http://proxy.example:port", "http://[::1"])
def test_what_is_no_address_of_a_proxy_names_the_variable(bare: pytest.MonkeyPatch, value: str) -> None:
    bare.setenv("HTTPS_PROXY", value)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is not the address of a proxy: correct it, or add atlas"):
        named()


def test_certificates_that_are_named_and_cannot_be_read_name_the_variable(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_DIR can't be used: .*none: No such file"):
        way.trust(SECURE)
    bare.delenv("SSL_CERT_DIR")
    bare.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE can't be used: .*missing.pem: No such file"):
        way.trust(SECURE)
    (tmp_path / "missing.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="it holds no certificate"):
        way.trust(SECURE)
    way.trust(PLAIN)


def test_a_proxy_is_shown_who_asks_and_its_password_stays_out_of_every_text(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("HTTPS_PROXY", "http://ada:p%40ss@secure.example:3128")
    found = way.proxy(SECURE)
    assert found is not None
    assert found.headers == [("Proxy-Authorization", "Basic YWRhOnBAc3M=")]
    assert "p@ss" not in repr(found)
    assert "YWRh" not in repr(found)
