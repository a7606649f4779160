#!/bin/sh
# CPython 3.11.7, 3.12.1 and 3.13.0 on Linux: the sentinel of a multiprocessing.Process is not ready when the process ends.
#
# The documentation says of Process.sentinel: "A numeric handle of a system object which will become "ready" when the
# process ends." With the start methods "spawn" and "fork" that object is the end of a pipe whose other end the process
# holds, and whatever the process forks inherits that. While such a child lives, the process is dead, its exit code is
# known to `exitcode`, and the sentinel is not ready; `Process.join(timeout)`, which waits for the sentinel, takes all of
# its time. With "forkserver" it is ready at once. Who waits for the end of processes has to look at `is_alive()` too.
#
# Output seen:
#   spawn: exit code -9, sentinel ready: False
#   fork: exit code -9, sentinel ready: False
#   forkserver: exit code -9, sentinel ready: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/sentinel.py" <<'PYTHON'
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import wait


def die_before_a_child() -> None:
    if os.fork() == 0:
        time.sleep(2)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for method in ("spawn", "fork", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=die_before_a_child)
        process.start()
        while process.is_alive():
            time.sleep(0.01)
        ready = bool(wait([process.sentinel], timeout=0.5))
        print(f"{method}: exit code {process.exitcode}, sentinel ready: {ready}")
PYTHON
"${PYTHON:-python3}" -W ignore "$folder/sentinel.py" | tee "$folder/seen"
cat > "$folder/expected" <<'EXPECTED'
spawn: exit code -9, sentinel ready: False
fork: exit code -9, sentinel ready: False
forkserver: exit code -9, sentinel ready: True
EXPECTED
diff "$folder/expected" "$folder/seen"
