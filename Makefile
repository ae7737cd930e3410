# Everything is done by cargo; the targets here are what people need to remember.
# `CARGO_TARGET_DIR` is honoured; without it everything is built in `target`.

TARGET := $(or $(CARGO_TARGET_DIR),target)

# Packages that bring a hundred crates and more: they are built and tested by targets of their own.
HEAVY := kozo-transport-onion
HEAVY += kozo-ice kozo-role-ipop-tincan kozo-transport-ice
# It needs servers, and Python packages that it fetches.
HEAVY += kozo-testnet
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

# What a build lays the program out by. It is worth doing anew when the program has changed much: `make bench BENCH=cost`
# tells by the memory.
.PHONY: layout
layout: ## record which functions of the program a node calls, for the linker (needs Debian's qemu-user)
	CARGO_PROFILE_RELEASE_STRIP=false cargo build --release \
		-p kozo -p kozo-role-cuckoo -p kozo-role-timer -p kozo-transport-tcp
	host/layout/record $(TARGET)/release/kozo

# Not optimised: whoever sees Kōzō for the first time shall not wait, and the tests use all of it again.
.PHONY: demo
demo: ## run three nodes on this machine (RUN_FOR=20: for 20 seconds, with a verdict)
	cargo build
	$(TARGET)/debug/kozo demo $(if $(RUN_FOR),--run-for $(RUN_FOR))

# The tests start the program with the modules beside it, and cargo builds no module for a test of
# its own accord.
.PHONY: build-for-tests
build-for-tests:
	cargo build $(WORKSPACE)

.PHONY: test
test: build-for-tests ## build everything for tests, and run them
	KOZO_TEST_MODULES_ARE_BUILT=yes cargo test $(WORKSPACE)

# Which parsers (`FUZZ="frames hello"`; empty: all), and for how many seconds each.
FUZZ ?=
FUZZ_SECONDS ?= 60

# The compiler's instrumentation is for nightly ones, or for those that are told to act as one. Dependencies
# are those of the program, by its lock file. What is found on the way to a fault stays out of the tree's
# own corpus.
.PHONY: fuzz
fuzz: ## look for inputs that harm a parser (FUZZ="frames": only that; needs cargo-fuzz and a C++ compiler)
	@cp Cargo.lock fuzz/Cargo.lock
	@for target in $(or $(FUZZ),$(notdir $(wildcard fuzz/corpus/*))); do \
		mkdir -p $(TARGET)/fuzz-corpus/$$target && \
		RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$(abspath $(TARGET))/fuzz cargo fuzz run --fuzz-dir fuzz $$target \
			$(abspath $(TARGET))/fuzz-corpus/$$target fuzz/corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) -timeout=10 || exit 1; \
	done

# Clients of other messaging systems, in a workspace of their own: hundreds of crates.
.PHONY: bench-peers
bench-peers: ## build what `make bench` compares with (Mosquitto and NATS: if installed)
	cargo build --release --locked --manifest-path bench/peers/Cargo.toml --target-dir $(TARGET)/peers

.PHONY: onion
onion: ## build the onion transport, optimised, beside the program
	cargo build --profile small -p kozo-transport-onion
	install -D -m 644 $(TARGET)/small/libonion.so $(TARGET)/release/libonion.so

.PHONY: ipop
ipop: ## build the role ipop-tincan and the transport ice, optimised, beside the program
	cargo build --profile small -p kozo-role-ipop-tincan -p kozo-transport-ice
	install -D -m 644 $(TARGET)/small/libipop_tincan.so $(TARGET)/release/libipop_tincan.so
	install -D -m 644 $(TARGET)/small/libice.so $(TARGET)/release/libice.so

# Exit code 77: it cannot be done here.
.PHONY: test-ipop
test-ipop: ## test IPOP and ways through NAT, in networks of their own (as root; needs prosody, coturn, nftables)
	roles/ipop-tincan/tests/run

# Daemons on a bus over real servers, of which a present one is fetched. How often one is killed (`FLEET_KILLS=10`).
FLEET_KILLS ?=

.PHONY: test-fleet
test-fleet: ## let daemons speak over NATS servers that are killed, frozen and hostile (needs Debian's nats-server)
	cargo build $(WORKSPACE)
	KOZO_TEST_MODULES_ARE_BUILT=yes $(FLEET_KILLS:%=KOZO_FLEET_KILLS=%) \
		cargo test -p kozo --test fleet -- --include-ignored --nocapture

# Exit code 77: it cannot be done here.
.PHONY: test-onion
test-onion: ## test the onion transport, on Tor networks of its own (needs the program tor)
	transports/onion/tests/run

# The clients of other libraries, and plug-ins of Python 2, which is unpacked where none is named; one that is not
# there is named as skipped.
.PHONY: test-co2
test-co2: ## let six XML-RPC libraries call the roles of CO2 (needs Debian's packages of them)
	cargo build $(WORKSPACE)
	@PYTHON2=$${PYTHON2:-$$(packaging/unpack-python2 $(TARGET)/python2 || echo python2.7)} && \
		export PYTHON2 KOZO_TEST_MODULES_ARE_BUILT=yes && \
		cargo test -p kozo --test network -- --include-ignored --nocapture co2 && \
		cargo test -p kozo-role-co2-relay -p kozo-role-co2-satellite

# A browser, and what drives it: the latter comes from npm, into the target folder.
.PHONY: test-dashboard
test-dashboard: ## try the page of the role dashboard in a browser (needs Debian's chromium, nodejs and npm)
	cargo build
	roles/dashboard/tests/run $(TARGET)

.PHONY: pictures
pictures: ## make the README's pictures of the page anew (needs the same)
	cargo build
	roles/dashboard/tests/run $(TARGET) pictures docs/pictures

# Installs both versions of Home Assistant that the tests are for, where they are not there already. Exit code 77: it
# cannot be done here.
.PHONY: test-home-assistant
test-home-assistant: ## let real installations of Home Assistant show what the role mqtt tells (needs Debian's mosquitto)
	cargo build $(WORKSPACE)
	roles/mqtt/tests/home-assistant/run $(TARGET)/debug/kozo

.PHONY: screenshots-home-assistant
screenshots-home-assistant: ## take the pictures of docs/home-assistant.md anew (needs Debian's chromium as well)
	cargo build $(WORKSPACE)
	cd roles/mqtt/tests/home-assistant && \
		KOZO_TEST_PROGRAM=$(abspath $(TARGET))/debug/kozo python3 screenshots.py $(abspath docs/pictures)

# The program and the module are optimised; the test itself is not.
.PHONY: figures-onion
figures-onion: build onion ## measure the onion transport, on a Tor network of its own (needs the program tor)
	KOZO_TEST_PROGRAM=$(abspath $(TARGET))/release/kozo \
		cargo test -p kozo-transport-onion --test private_network -- figures

# Which cases (`CASES="gpio-roles"`; empty: all but those that measure).
CASES ?=

# What a plain build makes, with the same features, and the roles of their own that cases use.
.PHONY: test-hardware
test-hardware: ## run Bluetooth and GPIO on emulated machines (CASES="gpio-roles": only that)
	cargo build --release $(WORKSPACE)
	hardware/test $(TARGET)/release $(CASES)

# A machine that the packages are installed on, as a person would.
.PHONY: test-installed
test-installed: deb ## run the packages with Bluetooth and GPIO under systemd, on an emulated machine (as root)
	hardware/test "$(TARGET)/deb" installed-packages

# Which measurements (`BENCH="latency connect"`; empty: all), and with which options (`--quick`).
BENCH ?=

.PHONY: bench
bench: ## measure latency, throughput, reconnecting, memory (BENCH="latency": only that)
	cargo build --release $(WORKSPACE)
	$(TARGET)/release/kozo-bench --json $(TARGET)/bench.json $(BENCH)

# For which architecture, as Debian calls it (empty: this one), and which packages (empty: all but
# those with modules in HEAVY).
ARCH ?=
PACKAGES ?=

.PHONY: deb
deb: ## build Debian packages into the target folder's `deb` (ARCH=arm64: for other machines)
	ARCH="$(ARCH)" PACKAGES="$(PACKAGES)" HEAVY="$(HEAVY)" packaging/build-deb

.PHONY: test-deb
test-deb: deb ## install, run, upgrade and remove the packages in a Debian of their own (as root)
	packaging/test-deb "$(TARGET)/deb"

.PHONY: check
check: check-format check-lints check-dependencies ## check format, lints and dependencies

.PHONY: check-format
check-format: ## check that `cargo fmt` would change nothing
	cargo fmt --all --check

.PHONY: check-lints
check-lints: ## check that clippy has nothing to say
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings

# Exit code 77: it cannot be done here.
.PHONY: check-advisories
check-advisories: ## ask what is known against dependencies (needs cargo-deny, and the network for its database)
	@cargo deny fetch db || { echo "the database of advisories cannot be had here"; exit 77; }
	cargo deny check --disable-fetch advisories

.PHONY: check-dependencies
check-dependencies: ## check licences and sources of dependencies (needs cargo-deny)
	cargo deny check bans licenses sources
