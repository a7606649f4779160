"""What needs somebody, for people and for machines."""

from __future__ import annotations

import json

from tests.integration.cli.commands import atlas, printed
from tests.integration.cli.platform_server import AT, Platform


def test_what_needs_you_is_shown_with_what_to_do(platform: Platform) -> None:
    assert atlas("attention").stderr == "Nothing needs you.\n"
    gone = {"kind": "agent", "subject": "ada/hello", "since": AT, "what": "ada/hello is gone", "todo": "start it"}
    platform.attention = [gone]
    (_, line) = printed(atlas("attention", "--utc")).splitlines()
    assert line.split("  ")[0] == "ada/hello is gone"
    assert line.endswith("start it")
    assert json.loads(printed(atlas("attention", "--json")))["items"][0]["kind"] == "agent"
