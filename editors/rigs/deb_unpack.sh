#!/usr/bin/env bash
# Unpack Debian packages with everything they depend on, from any suite, into a folder: nothing is installed on the
# machine, and no root is needed. Programs from there need a wrapper or patchelf, see get_nvim12.sh.
# usage: deb_unpack.sh SUITE DIR PACKAGE...      leaves the files in DIR/root
set -euo pipefail
suite=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || { echo "needs $tool: a Debian or Ubuntu machine" >&2; exit 1; }
done
state=$dir/apt
rm -rf "$state" "$dir/root"
mkdir -p "$state"/{lists/partial,cache/archives/partial,etc} "$dir/root"
: >"$state/status" # an empty one: apt then fetches everything, the C library included
mirror=$(apt-get indextargets --format '$(SITE) $(COMPONENT)' | awk '$2 == "main" && $1 ~ /debian/ && $1 !~ /security/ { print $1; exit }')
[ -n "$mirror" ] || { echo "apt knows no mirror of Debian here" >&2; exit 1; }
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || { echo "needs Debian's keys in $keyring (package debian-archive-keyring)" >&2; exit 1; }
echo "deb [signed-by=$keyring] $mirror $suite main" >"$state/etc/sources.list"
# Mirrors may lag behind the date that a suite's index is valid until; its signature is still checked.
ours() {
    apt-get -qq -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/etc/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null \
        -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=1 "$@"
}
ours update
ours install -y --no-install-recommends --download-only "$@"
for package in "$state"/cache/archives/*.deb; do dpkg -x "$package" "$dir/root"; done
rm -rf "$state"
