import io
import logging
from collections.abc import Iterator

import pytest

from agentic_atlas.compose import logs


class Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def test_a_log_of_the_server_that_nobody_reads_any_more_stops_nothing() -> None:
    log = logs.configure("info", "json", Gone())
    log.info("started")
    logging.getLogger("elsewhere").warning("of a library")


def test_a_token_does_not_get_into_the_log_of_the_server() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream).info("seen", token="eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl")
    assert "eyJ" not in stream.getvalue()
