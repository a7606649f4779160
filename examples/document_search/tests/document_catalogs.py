"""What tests share beside documents: the kinds of fixtures, and a look at the processes that read."""

from __future__ import annotations

from collections.abc import Callable

import psutil
from library.catalog import Catalog

OpenCatalog = Callable[..., Catalog]
Filled = Callable[[dict[str, str]], Catalog]


def reading_processes() -> list[psutil.Process]:
    """Processes of this one that read files for a catalog, and have not ended."""
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if "library.worker" in child.cmdline()]
