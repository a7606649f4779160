"""A network with a certificate of its own: commands, clients and agents come by `https://` and `wss://`."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest

from tests.certificates import certificate
from tests.e2e.processes import PATIENCE, Platform, connected

HELLO = """
from agentic_atlas import Agent

agent = Agent("hello")

@agent.skill
async def greet(name: str) -> str:
    return f"Hello, {name}!"

agent.run()
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


def platform(folder: Path, chain: Path, key: Path) -> Platform:
    made = Platform(folder / "platform", tls_cert=str(chain), tls_key=str(key))
    made.environ["SSL_CERT_FILE"] = str(chain)
    return made


def test_everybody_comes_by_tls_alone(tmp_path: Path, files: tuple[Path, Path]) -> None:
    up = platform(tmp_path, *files)
    up.start()
    try:
        assert up.url.startswith("https://localhost:")
        assert up.router_url.startswith("wss://localhost:")
        token = json.loads(up.atlas("tokens", "create", "hello", "--create-agent", "--json"))["token"]
        with up.agent("hello", HELLO, token=token) as agent:
            agent.wait_for(connected)
            assert up.atlas("call", "hello", "greet", "name=Ada").strip() == "Hello, Ada!"
        for port in (up.environ["ATLAS_HTTP_PORT"], up.environ["ATLAS_ROUTER_PORT"]):
            assert shown(int(port), files[0]) == ("localhost",)
            assert plain(int(port)) == b"", "no word without TLS"
    finally:
        assert up.stop() == 0


@pytest.mark.parametrize("missing", ["tls_cert", "tls_key"])
def test_a_certificate_without_its_key_is_told_at_the_start(
    tmp_path: Path, files: tuple[Path, Path], missing: str
) -> None:
    up = platform(tmp_path, *files)
    del up.environ[f"ATLAS_{missing.upper()}"]
    process = up.launch()
    assert process.wait() == 2
    assert f"name the other one with --{missing.replace('_', '-')} or ATLAS_{missing.upper()}" in process.output


def shown(port: int, trusted: Path) -> tuple[str, ...]:
    """Return the names in the certificate that is shown at a port, if it is trusted."""
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as opened,
        context.wrap_socket(opened, server_hostname="localhost") as secure,
    ):
        names = (secure.getpeercert() or {}).get("subjectAltName", ())
        return tuple(str(name) for _, name in names)


def plain(port: int) -> bytes:
    """Return what is answered to a request without TLS."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            return opened.recv(1024)
        except ConnectionResetError:
            return b""
