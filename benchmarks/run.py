"""Runs benchmarks: each prints a ratio against a bare baseline of the same run (see each file).

    python -m benchmarks.run [NAME …]

Without a name, all that need nothing from outside; `restate` is run by its name, and `live_pages`, which has a browser.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("depth", "store", "lists", "tasks", "spool", "resources", "backup", "idle", "revocation", "logs")


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True, cwd=Path(__file__).parents[1])


if __name__ == "__main__":
    main()
