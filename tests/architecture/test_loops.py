"""Asynchronous tests are `async def`: a loop is run by hand only where a loop or a program is the subject."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
BY_HAND = {"asyncio.run", "asyncio.Runner", "asyncio.new_event_loop"}
SAID = "loop of its own"
"""In the docstring of a module whose tests need one."""


def loops(source: str) -> list[int]:
    """Return the lines in which a loop is run by hand, of a module that does not say that it has to."""
    tree = ast.parse(source)
    if SAID in " ".join((ast.get_docstring(tree) or "").split()):
        return []
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name))
    return [node.lineno for node in calls if ast.unparse(node) in BY_HAND or _named(node) == "run_until_complete"]


def _named(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def test_a_test_runs_no_loop_by_hand() -> None:
    found = {str(path.relative_to(TESTS)): loops(path.read_text()) for path in TESTS.rglob("*.py")}
    by_hand = {path: lines for path, lines in found.items() if lines}
    assert not by_hand, f"make these `async def`, or say in the module's docstring why it has a {SAID}"


def test_a_loop_that_is_run_by_hand_is_seen() -> None:
    inner = "def test_it():\n    async def main():\n        pass\n    asyncio.run(main())\n"
    assert loops(inner) == [4]
    assert loops("with asyncio.Runner() as runner:\n    runner.run(main())\n") == [1]
    assert loops("loop.run_until_complete(main())\n") == [1]
    assert loops(f'"""It has a {SAID}."""\n{inner}') == []
    assert loops("async def test_it():\n    await asyncio.sleep(0)\n") == []
