"""What is said of a server: who encrypts what is sent to it, and whose code its pages load."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.platform.pages.settings.about import licences, tls_of
from agentic_atlas.protocol.caller.system import ServerInfo
from tests.shown import MOMENT, filled

SERVER = filled(ServerInfo)


@pytest.mark.parametrize(
    ("server", "url", "words"),
    [
        (replace(SERVER, certificate_until=MOMENT), "https://atlas.test", "its own certificate"),
        (SERVER, "https://atlas.test", "a proxy in front of it"),
        (SERVER, "http://localhost:8000", "nobody: what you send stays on this machine"),
        (SERVER, "http://192.0.2.7:8000", "nobody: keys and tokens can be read on the way"),
    ],
)
def test_it_is_said_who_encrypts_what_is_sent(server: ServerInfo, url: str, words: str) -> None:
    assert tls_of(server, url) == words


def test_the_code_of_others_is_named_with_its_licence() -> None:
    assert [name.partition(" ")[0] for name, text in licences() if "Permission to use" in text] == ["htmx.org"]
