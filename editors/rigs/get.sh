#!/usr/bin/env bash
# Fetch the editors that tests/editors drives, each once: get.sh NAME..., or get.sh for all that this folder knows.
# NAME comes from get_NAME.sh DIR, which leaves an executable DIR/run and ends with its reason on stderr if it cannot.
# An editor that cannot be had is no failure here: its reason is kept in NAME.missing and its tests say it.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rigs=${DEVSTRAL_LS_EDITOR_RIGS:-$HOME/.cache/devstral-ls-rigs}
mkdir -p "$rigs"
if [ $# -eq 0 ]; then
    for script in "$here"/get_*.sh; do
        name=${script##*/get_}
        set -- "$@" "${name%.sh}"
    done
fi
fetch() {
    local name=$1
    [ -x "$rigs/$name/run" ] && return
    echo "fetching $name"
    rm -rf "${rigs:?}/$name" "$rigs/$name.missing"
    mkdir -p "$rigs/$name"
    if ! "$here/get_$name.sh" "$rigs/$name" >"$rigs/$name.log" 2>&1 </dev/null || [ ! -x "$rigs/$name/run" ]; then
        rm -rf "${rigs:?}/$name"
        tail -n 1 "$rigs/$name.log" >"$rigs/$name.missing"
        echo "no $name: $(cat "$rigs/$name.missing")"
    fi
}

for name; do fetch "$name" & done # one compiles while the others download
wait
