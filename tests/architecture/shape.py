"""What the shape of the package costs a reader, in numbers; `python -m tests.architecture.shape` prints them."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "agentic_atlas"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ENVIRONMENT = ("os.environ", "os.getenv")


@dataclass
class Shape:
    """Counts over all modules of the package, which are read and not run."""

    modules: int = 0
    lines: int = 0
    classes: int = 0
    any: int = 0
    """Places where a type is said to be `Any`."""
    where: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Modules of each public class, by its name."""
    methods: Counter[str] = field(default_factory=Counter)
    """Number of methods of each class, by module and name."""
    environment: Counter[str] = field(default_factory=Counter)
    """Reads of the process's environment, by module."""

    @property
    def twice(self) -> dict[str, list[str]]:
        """The public names that more than one class has, with their modules."""
        return {name: modules for name, modules in sorted(self.where.items()) if len(modules) > 1}

    def per_thousand(self, count: int) -> float:
        return 1_000 * count / self.lines

    def table(self) -> list[tuple[str, str]]:
        longest, most = self.methods.most_common(1)[0]
        return [
            ("modules", str(self.modules)),
            ("lines", str(self.lines)),
            ("classes per 1,000 lines", f"{self.per_thousand(self.classes):.1f}"),
            ("most methods on a class", f"{most} ({longest})"),
            ("classes with more than 20", str(sum(number > 20 for number in self.methods.values()))),
            ("public class names that stand twice", str(len(self.twice))),
            ("Any per 1,000 lines", f"{self.per_thousand(self.any):.1f}"),
            ("reads of the environment", str(self.environment.total())),
        ]


@cache
def shape() -> Shape:
    """Return the counts of today."""
    found = Shape()
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.modules += 1
        found.lines += text.count("\n")
        _read(found, path.relative_to(PACKAGE).as_posix(), ast.parse(text))
    return found


def _read(found: Shape, module: str, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                found.classes += 1
                found.methods[f"{module}:{node.name}"] = sum(isinstance(one, _FUNCTIONS) for one in node.body)
                if not node.name.startswith("_"):
                    found.where[node.name].append(module)
            case ast.Name(id="Any"):
                found.any += 1
            case ast.Attribute() if ast.unparse(node) in _ENVIRONMENT:
                found.environment[module] += 1


if __name__ == "__main__":
    for name, value in shape().table():
        print(f"{name:40}{value}")
