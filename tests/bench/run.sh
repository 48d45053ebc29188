#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# All benchmarks, as `make bench` runs them: tables on stdout, ratios within this run. A part that
# cannot run here says SKIP and makes the exit code 77, unless another part failed.
# Usage: run.sh BUILD_DIR [PART...]; parts: peers compile command dynamic classify mpp scan. Results of
# `peers` are left in BUILD_DIR/bench.
set -eu
build=${1:?use: run.sh BUILD_DIR [PART...]}
build=$(cd "$build" && pwd)
shift
[ $# -gt 0 ] || set -- peers compile command dynamic classify mpp scan
here=$(dirname "$0")
status=0
peers=$(mktemp -d)
trap 'rm -rf "$peers"' EXIT
trap 'exit 1' INT TERM

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

for name in "$@"; do
    case $name in
    peers | compile | command | dynamic | classify | mpp | scan) ;;
    *)
        echo "run.sh: no part '$name'" >&2
        exit 2
        ;;
    esac
done
echo "$(uname -sr), $(nproc) CPUs, load $(cut -d' ' -f1 /proc/loadavg)"
"$here/unpack-peers.sh" "$peers" || echo 'without iptables, ipset, ufw and firewalld'
export PORTWARD_BUILD="$build" PORTWARD_PEERS="$peers"
for name in "$@"; do
    case $name in
    peers)
        part 'peers: packets, loading and memory beside other packet filters' \
            "$here/bench.py" --out "$build/bench"
        ;;
    compile)
        part 'compile: N filters to a verified image, beside nft' \
            "$here/bench-compile.sh" "$build/tests/bench/bench-compile"
        ;;
    command)
        part 'command: block and delete, whole processes, beside nft, ufw and firewall-cmd' \
            "$here/bench-command.py"
        ;;
    dynamic)
        part 'dynamic: one filter over API and command line, and what it costs the agent' \
            "$here/bench-dynamic.py"
        ;;
    scan)
        part 'scan: all TCP ports of a host, beside nmap' "$here/bench-scan.py"
        ;;
    classify)
        part 'classify: one packet through the ingress program' \
            "$build/tests/bench/bench-classify"
        ;;
    mpp)
        part 'mpp: connections ended a second, beside ss -K' "$here/bench-mpp-kill.py"
        part 'mpp: what protection costs at rest' "$here/bench-mpp-rest.py"
        ;;
    esac
done
exit "$status"
