#!/usr/bin/env bash
# Emacs 28.2 with the Eglot of its time, from Debian 12. usage: get_emacs28.sh DIR -> DIR/run
exec "$(dirname "$0")/emacs.sh" bookworm "$1" elpa-eglot
