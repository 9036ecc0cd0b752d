#!/bin/sh
# Write constraints.txt: the versions that are installed now, without this project and without build labels.
set -eu
{
    echo "# Every version an install needs, so that it is the same tomorrow. Made by 'make constraints'."
    .venv/bin/python -m pip freeze --all --exclude-editable |
        grep -v -E '^(pip|napari-landmarker)[= ]' | sed -E 's/\+[a-z0-9.]+$//'
} >constraints.new
mv constraints.new constraints.txt
