"""Networks behind nginx and Caddy, set up as the documentation says: calls, streams and agents come through."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import certificate
from tests.docs.pages import DOCS, blocks
from tests.e2e.processes import PATIENCE, Platform, Process, connected, free_port, program

COUNTING = """
from agentic_atlas import Agent

agent = Agent("counting")

@agent.skill
async def count(to: int):
    for number in range(to):
        yield number

agent.run()
"""


def documented(title: str) -> str:
    (block,) = [block for block in blocks(DOCS / "running" / "tls.md") if block.title == title]
    return block.text


def put(text: str, changes: dict[str, str]) -> str:
    """Return a documented text with what is another here: names, ports and files."""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, chain: Path, key: Path, behind: Platform) -> tuple[str, ...]:
    server = put(
        documented("atlas.conf"),
        {
            "listen 443": f"listen 127.0.0.1:{port}",
            "atlas.example.org": "localhost",
            "/etc/ssl/atlas/fullchain.pem": str(chain),
            "/etc/ssl/atlas/privkey.pem": str(key),
            ":8080": f":{behind.environ['ATLAS_ROUTER_PORT']}",
            ":8000": f":{behind.environ['ATLAS_HTTP_PORT']}",
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    rooms = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers are somebody who may not enter this folder
    main = f"{user}worker_processes 1;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{rooms}{server}}}\n"
    file = folder / "nginx.conf"
    file.write_text(main)
    return program("nginx"), "-c", str(file), "-p", str(folder), "-e", "stderr", "-g", "daemon off;"


def caddy(folder: Path, port: int, chain: Path, key: Path, behind: Platform) -> tuple[str, ...]:
    site = put(
        documented("Caddyfile"),
        {
            "atlas.example.org {": f"https://localhost:{port} {{\n    tls {chain} {key}",
            ":8080": f":{behind.environ['ATLAS_ROUTER_PORT']}",
            ":8000": f":{behind.environ['ATLAS_HTTP_PORT']}",
        },
    )
    file = folder / "Caddyfile"
    file.write_text("{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n}\n" + site)
    return program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"


@contextmanager
def running(command: tuple[str, ...], folder: Path, port: int) -> Iterator[Process]:
    process = Process(
        *command, folder=folder, environ={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    )
    try:
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.running and time.monotonic() < ends, process.output
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_a_network_is_reached_through_a_proxy_that_is_set_up_as_documented(
    tmp_path: Path, proxy: Callable[[Path, int, Path, Path, Platform], tuple[str, ...]]
) -> None:
    chain, key = certificate(tmp_path)
    port, folder = free_port(), tmp_path / "proxy"
    folder.mkdir()
    settings = dict(line.split("=", 1) for line in documented("atlas.env").splitlines())
    told = {name.removeprefix("ATLAS_").lower(): value for name, value in settings.items()}
    told = {name: value.replace("atlas.example.org", f"localhost:{port}") for name, value in told.items()}
    up = Platform(tmp_path / "platform", **told)
    command = proxy(folder, port, chain, key, up)
    up.start()
    try:
        up.atlas("tokens", "create", "counting", "--create-agent", "--env", ".env")
        written = dict(line.split("=", 1) for line in (up.folder / ".env").read_text().splitlines() if "=" in line)
        assert written["ROUTER_WS_URL"] == f"wss://localhost:{port}/ws"
        trusts = {"SSL_CERT_FILE": str(chain)}
        up.environ |= trusts | {"ATLAS_API_URL": f"https://localhost:{port}", "ATLAS_API_KEY": up.api_key}
        token, outside = written["AGENT_JWT_TOKEN"], {"ROUTER_WS_URL": written["ROUTER_WS_URL"]}
        with running(command, folder, port), up.agent("counting", COUNTING, token=token, **outside) as agent:
            agent.wait_for(connected)
            assert up.atlas("call", "counting", "count", "to=3", "--stream").split() == ["0", "1", "2"]
            assert json.loads(up.atlas("whoami", "--json"))["url"] == f"https://localhost:{port}"
    finally:
        up.stop()
