"""What an agent's environment says of its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.lines.settings import LineSettings, line_settings

STATE = Path("/home/ada/.local/state/agentic-atlas")


def test_without_a_word_logging_is_told_from_info_on_and_a_file_is_kept() -> None:
    told = line_settings({}, STATE)
    assert told == LineSettings(folder=STATE / "logs")
    assert (told.logging, told.output) == (20, False)
    assert told.path("words") == STATE / "logs" / "words.log"
    assert line_settings({}, None).path("words") is None


def test_everything_can_be_chosen() -> None:
    told = line_settings(
        {
            "ATLAS_CAPTURE_LOGGING": "Warning",
            "ATLAS_CAPTURE_OUTPUT": "1",
            "ATLAS_LOG_FILE": "/var/log/words.log",
            "ATLAS_LOG_FILE_BYTES": "1000000",
            "ATLAS_LOG_FILES": "9",
        },
        STATE,
    )
    assert (told.logging, told.output, told.file_bytes, told.files) == (30, True, 1_000_000, 9)
    assert told.path("words") == Path("/var/log/words.log")
    off = line_settings({"ATLAS_CAPTURE_LOGGING": "off", "ATLAS_LOG_FILE": "off"}, STATE)
    assert (off.logging, off.path("words")) == (None, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ATLAS_CAPTURE_LOGGING", "loud"),
        ("ATLAS_CAPTURE_OUTPUT", "perhaps"),
        ("ATLAS_LOG_FILE", "here.log"),
        ("ATLAS_LOG_FILE_BYTES", "5 MiB"),
        ("ATLAS_LOG_FILE_BYTES", "1"),
        ("ATLAS_LOG_FILES", "0"),
        ("ATLAS_LOG_FILES", "²"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        line_settings({name: value}, STATE)
