#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages of the named sets (build, demo, test, bench), if any is missing.
# Usage: install-deps.sh SET...
set -eu

build='gcc libc6-dev meson ninja-build pkg-config clang-14 llvm-14 bpftool libbpf-dev libmnl-dev
libjansson-dev libsqlite3-dev libtirpc-dev libmicrohttpd-dev libsystemd-dev libcmocka-dev python3 scdoc'
demo='iproute2 util-linux python3 iputils-ping procps'
test='samba-ad-provision libclang-rt-14-dev libasan8 libubsan1 clang-format-14 pmccabe shellcheck mandoc
git curl nftables nmap dnsmasq-base bind9-dnsutils python3-jsonschema zsh fish
rpcbind nfs-common nfs-kernel-server samba smbclient nginx iperf3'
bench='nftables nmap'

want=
for set in "$@"; do
    case $set in
    build) want="$want $build" ;;
    demo) want="$want $demo" ;;
    test) want="$want $test" ;;
    bench) want="$want $bench" ;;
    *) echo "install-deps.sh: unknown set '$set'" >&2; exit 2 ;;
    esac
done

missing=
for package in $want; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing packages:$missing" >&2
    echo "hint: run as root, or: apt-get install$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
start=$(date +%s)
# Word splitting of the list is meant.
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
count=$(echo "$missing" | wc -w)
echo "installed $count packages in $(($(date +%s) - start)) s"
