#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The two commands of the README on a fresh minimal Debian 12: debootstrap, only git and make
# added, no systemd running; the committed state of this checkout is cloned into it. Prints the
# own time of each command, the download of packages apart. Needs root and a Debian mirror.
# Usage: fresh-tree.sh [COMMAND...]   (default: "make demo" and "make test", each in its own tree)
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
command -v debootstrap >/dev/null || { echo "SKIP: debootstrap is not installed"; exit 77; }
# The host's mirror, from either form of apt's sources.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm main.*/\2/p; s/^URIs: *\([^ ]*\).*/\1/p' |
    head -n 1) || true
work=$(mktemp -d /var/tmp/pw-fresh.XXXXXX)
tree=

unmount() {
    [ -n "$tree" ] || return 0
    for place in run sys dev proc; do
        if mountpoint -q "$tree/$place"; then
            mount --make-rslave "$tree/$place"
            umount -R "$tree/$place"
        fi
    done
    if mountpoint -q "$tree"; then umount "$tree"; fi
    tree=
}
trap 'unmount; rm -rf --one-file-system "$work"' EXIT

new_tree() { # new_tree NAME: sets $tree
    local made=$work/$1
    cp -a "$work/base" "$made"
    mount --bind "$made" "$made"
    tree=$made
    mount --rbind /proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount --rbind /sys "$tree/sys"
    mount -t tmpfs tmpfs "$tree/run"
    git clone -q "$source" "$tree/root/portward"
    mkdir -p "$tree/root/shared"
}

debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$work/base" \
    ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 || {
    tail -n 5 "$work/debootstrap.log"
    exit 1
}
# The host's package sources and their settings, so that the same mirror is used.
cp -a /etc/apt/. "$work/base/etc/apt/"
cp /etc/resolv.conf "$work/base/etc/resolv.conf" 2>/dev/null || true
cp /etc/hosts "$work/base/etc/hosts" 2>/dev/null || true

[ $# -gt 0 ] || set -- "make demo" "make test"
status=0
for command in "$@"; do
    new_tree "$(echo "$command" | tr -c 'a-z0-9\n' '-')"
    start=$SECONDS
    if chroot "$tree" /bin/sh -c "cd /root/portward && exec $command" >"$work/log" 2>&1 </dev/null; then
        packages=$(sed -n 's/^installed .* in \([0-9]*\) s$/\1/p' "$work/log" | awk '{ s += $1 } END { print s + 0 }')
        total=$((SECONDS - start))
        echo "$command: passed in $((total - ${packages:-0})) s of its own, packages ${packages:-0} s"
    else
        echo "$command: FAILED"
        status=1
    fi
    tail -n 15 "$work/log"
    unmount
done
exit $status
