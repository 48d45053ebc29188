#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# All benchmarks, as `make bench` runs them: tables on stdout, ratios within this run. A part that
# cannot run here says SKIP and makes the exit code 77, unless another part failed.
# Usage: run.sh BUILD_DIR
set -eu
build=${1:?use: run.sh BUILD_DIR}
here=$(dirname "$0")
status=0
peers=$(mktemp -d)
trap 'rm -rf "$peers"' EXIT

part() { # part TITLE COMMAND...
    echo "== $1"
    shift
    code=0
    "$@" || code=$?
    if [ "$code" != 0 ] && [ "$status" != 1 ]; then
        status=$([ "$code" = 77 ] && echo 77 || echo 1)
    fi
    echo
}

echo "$(uname -sr), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
part 'compile: N filters to a verified image, beside nft' \
    "$here/bench-compile.sh" "$build/tests/bench/bench-compile"
"$here/unpack-peers.sh" "$peers" || echo 'without ufw and firewalld'
part 'command: block and delete, whole processes, beside nft, ufw and firewall-cmd' \
    env PORTWARD_BUILD="$build" PORTWARD_PEERS="$peers" "$here/bench-command.py"
part 'classify: one packet through the ingress program' "$build/tests/bench/bench-classify"
exit "$status"
