#!/usr/bin/env bash
# Emacs 30 or newer, from Debian's next release. usage: get_emacs30.sh DIR -> DIR/run
exec "$(dirname "$0")/emacs.sh" "${DEVSTRAL_LS_EMACS_SUITE:-forky}" "$1"
