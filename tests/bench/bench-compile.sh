#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Time from N filters to a verified image, beside the time that nft needs to load the same filters
# as a set and as a linear chain, each in a network namespace of its own that ends with it.
# Usage: bench-compile.sh BENCH_COMPILE [N...]. The time of nft includes the start of its process
# and reading its text (printed for an empty ruleset); the compiler starts from filters in memory.
set -eu
program=$1
shift
[ $# -gt 0 ] || set -- 10 1000 10000 100000 1000000

skip() {
    echo "SKIP: $1" >&2
    exit 77
}
command -v nft >/dev/null || skip "bench-compile: no nft here (package nftables)"
unshare --net true 2>/dev/null || skip "bench-compile: needs root for network namespaces"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

load_ms() { # load_ms FILE RUNS: the fastest of RUNS loads, in milliseconds
    best=
    run=0
    while [ "$run" -lt "$2" ]; do
        run=$((run + 1))
        start=$(date +%s%N)
        unshare --net nft -f "$1"
        ns=$(($(date +%s%N) - start))
        if [ -z "$best" ] || [ "$ns" -lt "$best" ]; then best=$ns; fi
    done
    awk -v ns="$best" 'BEGIN { printf "%.1f", ns / 1e6 }'
}

echo "table inet bench { }" >"$work/empty.nft"
echo "nft, empty ruleset: $(load_ms "$work/empty.nft" 5) ms (process start)"
printf '%9s %12s %13s %12s %8s %14s %8s\n' filters 'compile ms' 'bytes/filter' 'nft set ms' ratio \
    'nft chain ms' ratio
for n in "$@"; do
    runs=5
    [ "$n" -lt 100000 ] || runs=2
    result=$("$program" "$n")
    "$program" "$n" set >"$work/set.nft"
    set_ms=$(load_ms "$work/set.nft" "$runs")
    chain_ms=- # a linear chain of a million takes minutes and gigabytes
    if [ "$n" -le 100000 ]; then
        "$program" "$n" chain >"$work/chain.nft"
        chain_ms=$(load_ms "$work/chain.nft" "$runs")
    fi
    echo "$n $result $set_ms $chain_ms" | awk '{
        printf "%9d %12.3f %13.1f %12.1f %7.1fx", $1, $2, $3, $4, $4 / $2
        if ($5 == "-") printf " %14s %8s\n", "-", "-"
        else printf " %14.1f %7.1fx\n", $5, $5 / $2 }'
done
