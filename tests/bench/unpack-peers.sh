#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Unpacks ufw, firewalld, iptables and ipset and what they need into a directory; peers.py lays it
# over the system in a mount namespace of its own: installing them would put a second firewall on
# this machine. Usage: unpack-peers.sh DIRECTORY (empty or not there); exit 77 without a mirror.
set -eu
root=${1:?use: unpack-peers.sh DIRECTORY}
mkdir -p "$root"
debs=$(mktemp -d)
trap 'rm -rf "$debs"' EXIT
cd "$debs"

missing=$(apt-get install -s -qq --no-install-recommends ufw firewalld dbus iptables ipset |
    sed -n 's/^Inst \([^ ]*\) .*/\1/p')
for package in $missing; do
    apt-get download -qq "$package" 2>/dev/null || {
        echo "SKIP: cannot download $package"
        exit 77
    }
done
for deb in ./*.deb; do
    dpkg -x "$deb" "$root"
done
# /lib is /usr/lib on a merged system.
if [ -d "$root/lib" ]; then
    mkdir -p "$root/usr/lib"
    cp -a "$root/lib/." "$root/usr/lib/"
    rm -r "${root:?}/lib"
fi
# What the package's own script would copy.
mkdir -p "$root/etc/ufw"
cp -n "$root"/usr/share/ufw/iptables/*.rules "$root"/usr/share/ufw/user*.rules \
    "$root"/usr/share/ufw/before*.init "$root"/usr/share/ufw/after*.init \
    "$root"/usr/share/ufw/ufw.conf "$root/etc/ufw/" 2>/dev/null || true
# Names that the packages' alternatives would give.
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    [ ! -e "$root/usr/sbin/xtables-nft-multi" ] || [ -e "$root/usr/sbin/$name" ] ||
        ln -s xtables-nft-multi "$root/usr/sbin/$name"
done
actions=$root/usr/share/polkit-1/actions
[ ! -d "$actions" ] || ln -sf org.fedoraproject.FirewallD1.server.policy.choice \
    "$actions/org.fedoraproject.FirewallD1.policy"
