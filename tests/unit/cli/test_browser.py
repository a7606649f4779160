"""Whether there is a browser to open: somebody has to see it."""

from __future__ import annotations

import pytest

from agentic_atlas.cli.browser import has_screen

OVER_SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


@pytest.mark.parametrize(
    ("environ", "system", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        (OVER_SSH, "linux", False),
        (OVER_SSH | {"DISPLAY": "localhost:10.0"}, "linux", True),
        ({}, "darwin", True),
        (OVER_SSH, "darwin", False),
        ({"SSH_TTY": "/dev/ttys001"}, "darwin", False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False),
        ({"CI": "1"}, "darwin", False),
    ],
)
def test_a_screen_is_one_that_the_person_at_the_terminal_sees(
    environ: dict[str, str], system: str, *, expected: bool
) -> None:
    assert has_screen(environ, system) is expected
