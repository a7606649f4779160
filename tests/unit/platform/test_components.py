"""Components are put together from plain values, all of which are escaped."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.templating import environment

HOSTILE = '"><script>alert(1)</script>'
CALLS = {
    "dialog": "{% call dialog(text, text) %}{{ text }}{% endcall %}",
    "live": "{% call live(text, text, 7) %}{{ text }}{% endcall %}",
    "skeleton": "{{ text }}{{ skeleton(2) }}",
    "tabs": "{{ tabs(text, [(text, text), ('/b', 'B')], '/b') }}",
    "toast": "{{ toast(text, text, 'good') }}",
}


def rendered(name: str, text: str) -> str:
    source = f'{{% from "components.html" import {name} %}}{CALLS[name]}'
    return environment().from_string(source).render(text=text)


@pytest.mark.parametrize("name", CALLS)
def test_what_a_component_is_given_is_escaped(name: str) -> None:
    made = rendered(name, HOSTILE)
    assert "<script>" not in made
    assert "&#34;&gt;&lt;script&gt;" in made


def test_components_say_what_they_are() -> None:
    assert 'data-live="tasks" data-seq="7"' in rendered("live", "tasks")
    assert rendered("tabs", "/a").count("aria-current") == 1
    assert rendered("skeleton", "").count('class="skeleton"') == 2
    assert 'class="notice notice-good"' in rendered("toast", "Saved")
    assert '<dialog id="sure" aria-labelledby="sure-title">' in rendered("dialog", "sure")
