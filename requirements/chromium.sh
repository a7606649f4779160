#!/bin/sh
# See that there is a Chromium for the tests of pages; installs a missing one where apt and the rights are there.
# Without one those tests are skipped, and fail in CI (tests/browser.py).
set -eu
. "$(dirname "$0")/apt.sh"

for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1; then
        exit 0
    fi
done
apt_install chromium || say "no Chromium, and it could not be installed: the tests of pages will be skipped"
