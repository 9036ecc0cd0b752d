#!/bin/sh
# Make the virtual environment $1 and install the project in it, everything pinned by constraints.txt.
set -eu
venv=$1

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The first Python of at least 3.11; PYTHON=... names another.
find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

python=$(find_python) || fail "Python 3.11 or newer is needed: install it, or run 'make PYTHON=/path/to/python3.12 ...'."
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    sh scripts/system_packages.sh package "$version"
fi
if ! [ -x "$venv/bin/python" ]; then
    echo "Making the environment in $venv (several minutes the first time) ..."
    "$python" -m venv "$venv" || fail "The environment in $venv could not be made: remove that folder and try again."
fi
install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt "$@"; }
install hatchling editables
install --no-build-isolation -e '.[dev]'
