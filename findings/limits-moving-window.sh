#!/bin/sh
# limits 5.8.0 on CPython 3.11.7: in memory, a moving window never forgets a key, and a thread walks over all it ever saw.
#
# `limits.storage.MemoryStorage` counts for rate limiters within one process. With a fixed window a key is gone soon after
# its window is over. With a moving window its hits go, and the key stays with an empty list for as long as the process
# runs: a service that limits by address or by user holds one entry for each that ever came. Every hit that comes 10 ms
# after the one before starts a thread that looks at all of them. `clear(key)` does remove a key.
#
# Output seen:
#   FixedWindowRateLimiter: 0 of 1000 keys are kept after their second
#   MovingWindowRateLimiter: 1000 of 1000 keys are kept after their second
#   MovingWindowRateLimiter: 0 of 1000 keys are kept after clear
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check limits==5.8.0
cat > "$folder/keys.py" <<'PYTHON'
import time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

KEYS = 1_000
ONE = RateLimitItemPerSecond(1)


def kept(storage: MemoryStorage) -> int:
    return sum("early" in key for key in {*storage.storage, *storage.events})


for strategy in (FixedWindowRateLimiter, MovingWindowRateLimiter):
    storage = MemoryStorage()
    limiter = strategy(storage)
    for number in range(KEYS):
        limiter.hit(ONE, f"early{number}")
    for _ in range(5):  # each of these starts what clears up
        time.sleep(0.5)
        limiter.hit(ONE, "late")
    storage.timer.join()
    print(f"{strategy.__name__}: {kept(storage)} of {KEYS} keys are kept after their second")
for number in range(KEYS):
    storage.clear(ONE.key_for(f"early{number}"))
print(f"{strategy.__name__}: {kept(storage)} of {KEYS} keys are kept after clear")
PYTHON
"$folder/venv/bin/python" "$folder/keys.py" | tee "$folder/seen"
cat > "$folder/expected" <<'EXPECTED'
FixedWindowRateLimiter: 0 of 1000 keys are kept after their second
MovingWindowRateLimiter: 1000 of 1000 keys are kept after their second
MovingWindowRateLimiter: 0 of 1000 keys are kept after clear
EXPECTED
diff "$folder/expected" "$folder/seen"
