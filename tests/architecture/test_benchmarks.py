"""Benchmarks are run seldom, so what they name may go away unseen."""

import importlib
import pkgutil

import pytest

import benchmarks


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)))
def test_a_benchmark_names_only_what_there_is(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")
