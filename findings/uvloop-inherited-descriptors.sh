#!/bin/sh
# uvloop 0.23.0 on CPython 3.11.7, 3.12.1 and 3.13.0, Linux: a child process has descriptors that `close_fds` says are closed.
#
# asyncio hands the arguments of create_subprocess_exec on to subprocess.Popen, whose documentation says of `close_fds`,
# which is true unless one says otherwise: "all file descriptors except 0, 1 and 2 will be closed before the child
# process is executed". On asyncio's own loop that is so. On uvloop a child gets every descriptor that is inheritable, and
# copies of the ends of its own pipes besides, whether `close_fds` is given or not. Who relies on `close_fds`, say because
# systemd handed over a listening socket, has to close in the child what it is not to have: os.closerange(3, …).
#
# Output seen (the first number is of a descriptor that was made inheritable, the second of any others above 2):
#   asyncio: inherited 0, others 0
#   asyncio, close_fds=True: inherited 0, others 0
#   uvloop: inherited 1, others at least 1
#   uvloop, close_fds=True: inherited 1, others at least 1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.23.0
cat > "$folder/descriptors.py" <<'PYTHON'
import asyncio
import os
import sys

import uvloop

CHILD = "import os; print(*(n for n in range(3, 256) if os.path.exists(f'/proc/self/fd/{n}')))"


async def main(name: str) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    for shown, options in ((name, {}), (f"{name}, close_fds=True", {"close_fds": True})):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, **options
        )
        said, _ = await child.communicate(b"")
        had = {int(number) for number in said.split()} - ALREADY
        others = len(had - {reader})
        print(f"{shown}: inherited {len(had & {reader})}, others {'at least 1' if others else 0}")
    os.close(reader)
    os.close(writer)


ALREADY = {n for n in range(3, 256) if os.path.exists(f"/proc/self/fd/{n}")}
for name, make in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(main(name))
PYTHON
"$folder/venv/bin/python" "$folder/descriptors.py" | tee "$folder/seen"
cat > "$folder/expected" <<'EXPECTED'
asyncio: inherited 0, others 0
asyncio, close_fds=True: inherited 0, others 0
uvloop: inherited 1, others at least 1
uvloop, close_fds=True: inherited 1, others at least 1
EXPECTED
diff "$folder/expected" "$folder/seen"
