#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes the skeleton of an eBPF object, a header that our warnings are not meant for.
# Usage: gen-skeleton.sh BPFTOOL OBJECT NAME
set -eu
echo '#pragma GCC system_header'
exec "$1" gen skeleton "$2" name "$3"
