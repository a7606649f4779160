"""Texts as somebody writes them who wants to write into other people's logs, terminals and pages."""

from __future__ import annotations

NASTY = {
    "another line": "\n2026-11-30T00:00:00Z [info     ] agent_connected                agent=agt_forged",
    "a return": "\r2026-11-30T00:00:00Z [info     ] agent_connected",
    "another line of JSON": '"}\n{"event": "agent_connected", "level": "info", "agent": "agt_forged"}',
    "JSON in JSON": '{"event": "agent_connected", "level": "info"}',
    "colours": "\x1b[31mred\x1b[0m",
    "an empty screen": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;pwned\x07",
    "the one-byte form": "\x9b31mred",
    "formats": "%s%n%(levelname)s{0}{event}",
    "other line ends": "a\x85b\u2028c\u2029d\x0be\x0cf",
    "backwards": "\u202egnol",
    "nothing": "\x00",
    "half a character": "\ud800",
    "a page": "<script>alert(1)</script>",
}
"""By what they try."""
