#!/bin/sh
# See that there are an nginx and a Caddy for the tests of networks behind a proxy (tests/e2e/test_proxies.py), libfaketime
# for the soak's server whose clock is off (tests/faults/test_clock.py), and a Prometheus that reads what networks tell
# (tests/e2e/test_dashboard.py). Debian's packages are unpacked into the folder that is named, not installed: no service
# starts, and only the lists of packages need root to be fresh. Without them those tests are skipped; but for that of the
# clock they fail in CI.
set -eu
. "$(dirname "$0")/apt.sh"

folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

is_there() {
    command -v "$1" >/dev/null 2>&1 || [ -x "$folder/usr/sbin/$1" ] || [ -x "$folder/usr/bin/$1" ] ||
        ls /usr/lib/*/faketime/"$1".so.1 "$folder"/usr/lib/*/faketime/"$1".so.1 2>/dev/null | grep -q .
}

for name in nginx caddy libfaketime prometheus; do
    if is_there "$name"; then
        continue
    fi
    if ! command -v apt-get >/dev/null 2>&1; then
        say "no $name, and no apt-get to fetch it with: the tests behind it will be skipped"
        continue
    fi
    say "fetching $name with apt-get, for tests"
    as_root apt-get update -qq >&2 || true
    (
        cd "$folder"
        apt-get download -qq -o APT::Sandbox::User=root "$name" >&2 && dpkg -x "$name"_*.deb . && rm -f "$name"_*.deb
    ) || say "$name could not be fetched: the tests behind it will be skipped"
done
