from __future__ import annotations

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.client.http import agent_path, segment


def test_a_name_cannot_leave_its_segment_of_the_path() -> None:
    assert segment("a/b?c") == "a%2Fb%3Fc"
    assert agent_path("ada/hello") == "/agents/ada/hello"
    assert agent_path("hello") == "/agents/hello"
    for name in ("", ".", "..", "../tokens", "ada/..", "x" * 300):
        with pytest.raises(InvalidInput):
            agent_path(name)
