"""What is copied to start an agent."""

from __future__ import annotations

import ast

import pytest

from agentic_atlas.platform import starting


def test_the_env_of_an_agent_has_what_is_known() -> None:
    said = starting.env_file("eyJ.e30.AA-_", "ws://localhost:8080/ws", "http://localhost:8000")
    assert said.splitlines() == [
        "AGENT_JWT_TOKEN=eyJ.e30.AA-_",
        "ROUTER_WS_URL=ws://localhost:8080/ws",
        "BACKEND_API_BASE_URL=http://localhost:8000",
    ]
    assert starting.env_file("t", "", "http://a b\nX=1") == "AGENT_JWT_TOKEN=t"


@pytest.mark.parametrize(
    ("router", "shared"),
    [
        ("ws://localhost:8080/ws", True),
        ("ws://127.0.0.1:8080/ws", True),
        ("ws://[::1]:8080/ws", True),
        ("ws://atlas.localhost/ws", True),
        ("wss://atlas.example.org/ws", False),
        ("ws://10.0.0.5:8080/ws", False),
    ],
)
def test_a_container_shares_the_network_of_a_machine_that_has_the_router(router: str, shared: bool) -> None:
    assert ("--network host" in starting.container(router)) is shared


def test_the_smallest_agent_is_a_program() -> None:
    assert "'books'" in ast.dump(ast.parse(starting.code("books")))
