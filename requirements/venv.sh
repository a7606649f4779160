#!/bin/sh
# Create the virtual environment named by the first argument, unless it is there and works.
# Takes $PYTHON, else the first Python of a supported version; installs a missing one where apt and the rights are there.
set -eu
target=$1

. "$(dirname "$0")/apt.sh"

supported() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

if "$target/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

python=$(find_python)
if [ -z "$python" ]; then
    apt_install python3 python3-venv || true
    python=$(find_python)
fi
if [ -z "$python" ]; then
    say "Python 3.11 to 3.14 is needed, and none was found (python3 is: $(python3 -V 2>&1 || echo missing))."
    say "Install one from https://www.python.org or your system's packages, or name it: make setup PYTHON=/path/to/python3"
    exit 1
fi

if ! has_venv "$python"; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    apt_install "$package" || true
    if ! has_venv "$python"; then
        say "$python has no venv or ensurepip module. Install the package $package (or python3-venv), then run this again."
        exit 1
    fi
fi

"$python" -m venv --clear "$target"
