"""Where a network cannot listen, and what is to be changed."""

from __future__ import annotations

import socket

import pytest

from agentic_atlas.compose.http import listen
from agentic_atlas.errors import ConfigurationError


@pytest.mark.parametrize("host", ["a..b", "192.0.2.1"])
def test_an_address_that_is_none_of_this_machines_names_the_option_of_the_address(host: str) -> None:
    with pytest.raises(ConfigurationError, match="correct --host or ATLAS_HOST"):
        listen(host, 0, "--http-port")


def test_a_port_that_is_taken_names_the_option_of_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=r"stop what uses it, or choose another port with --http-port"):
            listen("127.0.0.1", port, "--http-port")
