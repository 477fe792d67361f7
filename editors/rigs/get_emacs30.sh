#!/usr/bin/env bash
# Emacs 30 or newer, from Debian's next release. usage: get_emacs30.sh DIR -> DIR/run
# company, Corfu and lsp-mode come with it: tests look whether the mode gets on with them.
exec "$(dirname "$0")/emacs.sh" "${DEVSTRAL_LS_EMACS_SUITE:-forky}" "$1" elpa-company elpa-corfu elpa-lsp-mode
