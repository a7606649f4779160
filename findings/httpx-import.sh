#!/bin/sh
# httpx 0.28.1 on CPython 3.11 and later: `import httpx` loads a terminal toolkit, when one happens to be installed.
#
# The library's command line is documented as an extra, httpx[cli]. But the package tries to import it each time, so that
# with click, rich and pygments in the environment, whoever installed them and why, every program that imports httpx loads
# some sixty modules more, and the import takes about 1.4 times as long. Whether it does is decided by other people's
# dependencies: uvicorn brings click, pytest pygments, typer and structlog's users rich. Who counts what a short command
# costs has to count with what else is installed, or to ask over something smaller.
#
# Output seen:
#   without click, rich and pygments: rich False, pygments False
#   with them: rich True, pygments True, modules more: over 50
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
"$python" -m pip install -q --disable-pip-version-check --target "$folder/alone" httpx==0.28.1
cp -R "$folder/alone" "$folder/beside"
"$python" -m pip install -q --disable-pip-version-check --target "$folder/toolkit" click==8.1.8 rich==14.0.0 pygments==2.19.1
cp -R "$folder/toolkit/." "$folder/beside/"
cat > "$folder/loaded.py" <<'PYTHON'
import sys

import httpx  # noqa: F401

print("rich" in sys.modules, "pygments" in sys.modules, len(sys.modules))
PYTHON
# -S: nothing but what was installed here.
alone=$(PYTHONPATH="$folder/alone" "$python" -S "$folder/loaded.py")
beside=$(PYTHONPATH="$folder/beside" "$python" -S "$folder/loaded.py")
{
    set -- $alone
    echo "without click, rich and pygments: rich $1, pygments $2"
    few=$3
    set -- $beside
    more="at most 50"
    if [ $(($3 - few)) -gt 50 ]; then more="over 50"; fi
    echo "with them: rich $1, pygments $2, modules more: $more"
} | tee "$folder/seen"
cat > "$folder/expected" <<'EXPECTED'
without click, rich and pygments: rich False, pygments False
with them: rich True, pygments True, modules more: over 50
EXPECTED
diff "$folder/expected" "$folder/seen"
