# SPDX-License-Identifier: GPL-2.0-or-later
# Thin front of meson. `make demo` and `make test` are complete by themselves on a fresh
# Debian 12 as root: each installs what it needs, builds, and runs.
PREFIX ?= /usr
BUILD  ?= build

.PHONY: all deps demo test test-long bench bench-docs install uninstall clean format
all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/install-deps.sh build
	meson setup --prefix $(PREFIX) $(BUILD)

deps:
	tools/install-deps.sh build demo test

demo:
	tools/install-deps.sh build demo
	@$(MAKE) --no-print-directory all
	demo/demo.py $(BUILD)

test:
	tools/install-deps.sh build demo test
	tools/run-tests.py

test-long:
	tools/install-deps.sh build demo test
	tools/run-tests.py --long

bench:
	tools/install-deps.sh build demo bench
	@$(MAKE) --no-print-directory all
	tests/bench/run.sh $(BUILD)

# docs/performance.md anew: about 20 minutes on an idle machine.
bench-docs:
	tools/install-deps.sh build demo bench
	@$(MAKE) --no-print-directory all
	tests/bench/run.sh $(BUILD) peers
	tests/bench/write-performance.py $(BUILD)/bench/results.json docs/performance.md

install: all
	meson install -C $(BUILD) --no-rebuild

uninstall:
	ninja -C $(BUILD) uninstall

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-test build-asan build-clang build-fuzz
