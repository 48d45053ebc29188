#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# One kind of source check per call: format | spdx | shell | headers | man | words.
# Usage: check-style.sh KIND [SOURCE_ROOT]; needs a git checkout or an unpacked tree.
set -eu
kind=$1
cd "${2:-.}"

sources() { # sources PATTERN...: tracked and new files, generated ones left out
    if [ -d .git ]; then
        git ls-files -co --exclude-standard -- "$@"
    else
        for pattern in "$@"; do find . -path './build*' -prune -o -name "$pattern" -print; done
    fi
}

case $kind in
format)
    sources '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror
    ;;
spdx)
    sources '*.c' '*.h' '*.py' '*.sh' '*.build' 'Makefile' '*.sql' '*.scd' '.ci/run' |
        xargs grep -L 'SPDX-License-Identifier: GPL-2.0-or-later' |
        if grep .; then exit 1; fi
    ;;
shell)
    sources '*.sh' '.ci/run' | xargs shellcheck -x
    ;;
headers) # every public header compiles alone
    status=0
    for header in $(sources '*.h' | grep -E '/include/|^bpf/image.h'); do
        includes=$(find src tests/lib -type d -name include | sed 's/^/-I/')
        # Word splitting of the list is meant.
        # shellcheck disable=SC2086
        echo "#include \"$header\"" |
            gcc -std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Ibpf -I. $includes -x c - ||
            status=1
    done
    exit $status
    ;;
man) # scdoc writes a paragraph macro too many after headings: not a fault of the page
    status=0
    for page in $(sources '*.scd'); do
        if scdoc <"$page" | mandoc -T lint -W warning | grep -v 'skipping paragraph macro'; then
            echo "in $page"
            status=1
        fi
    done
    exit $status
    ;;
*)
    echo "check-style.sh: unknown kind '$kind'" >&2
    exit 2
    ;;
esac
