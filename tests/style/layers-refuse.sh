#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The layer check must fail when a forbidden include is added: a check that cannot fail is none.
set -eu
root=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/src"
cp -r "$root"/src/. "$copy/src/"

refused() { # refused FILE INCLUDE
    printf '#include "%s"\n' "$2" >>"$copy/src/$1"
    if "$root/tools/check-layers.py" "$copy" >"$copy/out"; then
        echo "not refused: $2 in $1"
        exit 1
    fi
    grep -F "$2" "$copy/out"
    cp "$root/src/$1" "$copy/src/$1"
}
"$root/tools/check-layers.py" "$copy" >/dev/null
refused model/filter.c text/text.h
refused eval/eval.c compile/compile.h
refused compile/image.c eval/eval.h
