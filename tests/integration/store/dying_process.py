"""A process that is gone in the middle of its first migration; run by the tests.

python -m tests.integration.store.dying_process FILE
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import op

from agentic_atlas.backend.store.migrations import migrate
from agentic_atlas.backend.store.sqlite import writing_engine

create_index = op.create_index


def dying(name: str, *arguments: object, **options: object) -> None:
    if name == "tasks_waiting":
        os._exit(137)
    create_index(name, *arguments, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    op.create_index = dying  # type: ignore[assignment]
    migrate(writing_engine(Path(sys.argv[1])))
