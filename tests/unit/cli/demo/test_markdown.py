from __future__ import annotations

import pytest

from agentic_atlas.cli.demo.markdown import plain, shown


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r"\`\`\`console title=", "```console title="),
        ("a **bold** word", "a bold word"),
        (r"2 \* 3 \[1\] C:\dir", r"2 * 3 [1] C:\dir"),
        ("`SELECT \\* FROM x`, ``a`b``", "SELECT \\* FROM x, a`b"),
        (r"\\*", r"\*"),
        (r"\*\*not bold\*\*", "**not bold**"),
        ("- item", "- item"),
        ("", ""),
    ],
)
def test_a_terminal_shows_text_without_the_marks_of_markdown(line: str, text: str) -> None:
    assert plain(line) == text


def test_a_table_has_its_columns_below_each_other() -> None:
    table = "Rows:\n| kind | count |\n| --- | ---: |\n| a\\|b | 12 |\n| c | 3 |\nDone."
    assert shown(table) == ["Rows:", "kind  count", "a|b   12", "c     3", "Done."]
