#!/bin/sh
# Install what a lock file names, and say now and then how far it is: it takes a minute, and pip says either all or nothing.
#
# sh packages.sh PYTHON LOCK
set -eu
python=$1
lock=$2
total=$(grep -c '^[a-zA-Z0-9].*==' "$lock")
failed=$(mktemp)
trap 'rm -f "$failed"' EXIT
{
    "$python" -m pip install --no-input --disable-pip-version-check --progress-bar off --require-hashes -r "$lock" ||
        echo yes > "$failed"
} | awk -v total="$total" '
    /^(Collecting|Requirement already satisfied:)/ && ++seen % 25 == 0 { print "  " seen " of about " total " packages" }
    /^Installing collected/ { print "  all are there: installing them (half a minute)" }
    { fflush() }'
test ! -s "$failed"
