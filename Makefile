# Everything is done by cargo; the targets here are what people need to remember.
# `CARGO_TARGET_DIR` is honoured; without it everything is built in `target`.

TARGET := $(or $(CARGO_TARGET_DIR),target)

# Packages of modules that bring hundreds of crates: each is built and tested by a target of its own.
HEAVY :=
WORKSPACE := --workspace $(HEAVY:%=--exclude %)

# Seconds after which the demo ends and says whether all went well; empty: when you press Ctrl-C.
RUN_FOR ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the program and all modules, optimised
	cargo build --release

.PHONY: demo
demo: build ## run three nodes on this machine (RUN_FOR=20: for 20 seconds, with a verdict)
	$(TARGET)/release/kozo demo $(if $(RUN_FOR),--run-for $(RUN_FOR))

# The tests start the program with the modules beside it, and cargo builds no module for a test of
# its own accord.
.PHONY: test
test: ## build everything for tests, and run them
	cargo build $(WORKSPACE)
	cargo test $(WORKSPACE)

# Which cases (`CASES="gpio-edges"`; empty: all).
CASES ?=

.PHONY: test-hardware
test-hardware: ## run Bluetooth and GPIO on emulated machines (CASES="gpio-edges": only that)
	cargo build $(WORKSPACE)
	hardware/test $(TARGET)/debug $(CASES)

# Which measurements (`BENCH="latency connect"`; empty: all), and with which options (`--quick`).
BENCH ?=

.PHONY: bench
bench: ## measure latency, throughput, reconnecting, memory (BENCH="latency": only that)
	cargo build --release $(WORKSPACE)
	$(TARGET)/release/kozo-bench --json $(TARGET)/bench.json $(BENCH)

.PHONY: check
check: check-format check-lints check-dependencies ## check format, lints and dependencies

.PHONY: check-format
check-format: ## check that `cargo fmt` would change nothing
	cargo fmt --all --check

.PHONY: check-lints
check-lints: ## check that clippy has nothing to say
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings

# Advisories need a database from the network: `cargo deny check advisories`.
.PHONY: check-dependencies
check-dependencies: ## check licences and sources of dependencies (needs cargo-deny)
	cargo deny check bans licenses sources
