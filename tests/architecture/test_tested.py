"""Each module where a decision is made has a test module of its own, at the same place below one of the rings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/agentic_atlas"
PACKAGES = ("backend/engine", "backend/usecases", "router", "sdk/link")
RINGS = ("unit", "integration", "conformance")


def untested(sources: Path, tests: Path, package: str) -> list[str]:
    """Return the modules of a package without a `test_` module that is named for them and has a test in it."""
    modules = [path.stem for path in sorted((sources / package).glob("*.py")) if path.stem != "__init__"]
    return [module for module in modules if not any(_tests(tests, package, module))]


def _tests(tests: Path, package: str, module: str) -> Iterator[bool]:
    for ring in RINGS:
        path = tests / ring / package / f"test_{module}.py"
        yield path.exists() and "def test_" in path.read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_has_its_own_test_module(package: str) -> None:
    assert (SOURCES / package / "__init__.py").exists(), "the package has moved: name its new place here"
    assert untested(SOURCES, ROOT / "tests", package) == []


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    sources, tests = tmp_path / "src", tmp_path / "tests"
    for path in (sources / "router", tests / "unit/router", tests / "integration/router", tests / "unit"):
        path.mkdir(parents=True, exist_ok=True)
    for module in ("__init__", "told", "met", "hollow", "elsewhere", "new"):
        (sources / f"router/{module}.py").touch()
    (tests / "unit/router/test_told.py").write_text("def test_it() -> None: ...")
    (tests / "integration/router/test_met.py").write_text("async def test_it() -> None: ...")
    (tests / "unit/router/test_hollow.py").touch()
    (tests / "unit/test_elsewhere.py").write_text("def test_it() -> None: ...")
    assert untested(sources, tests, "router") == ["elsewhere", "hollow", "new"]
