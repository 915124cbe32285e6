# make run      build both services and run them on this machine until Ctrl+C
# make test     every test, with the real binaries; those that need namespaces run through sudo when not root
# make crash    kill -9 either service 200 times under load
# make scorecard  two dozen ways to move bytes, and whom they are credited to: docs/attribution-scorecard.md
# make vm       Debian under systemd with several kernels, emulated: installs Weir by its manual and tries it
# make bench    cost beside the packet monitors that are installed
# make lint     what .ci/run checks before the tests
export CARGO_TERM_COLOR ?= auto
AS_ROOT := $(CURDIR)/tools/as-root
RUNNER = CARGO_TARGET_$(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')_RUNNER
CRASH_CYCLES ?= 200

.PHONY: run build test crash scorecard vm bench lint format docs captures clean

run:
	@tools/run.sh

build:
	cargo build --workspace --locked

test: build captures
	$(RUNNER)=$(AS_ROOT) cargo test --workspace --locked --no-fail-fast -- --test-threads=2

crash: build
	WEIR_CRASH_CYCLES=$(CRASH_CYCLES) $(RUNNER)=$(AS_ROOT) cargo test --workspace --locked --test restart -- --nocapture --test-threads=1

scorecard: build
	WEIR_SCORECARD=full $(RUNNER)=$(AS_ROOT) cargo test --workspace --locked --test scorecard -- in_full --nocapture

vm:
	@tests/vm/run.sh $(KERNELS)

bench:
	@bench/run.sh

lint: format
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	@tools/lint.sh

format:
	cargo fmt --all -- --check

# public captures of Debian's tcpdump and libpcap source packages, for the comparison with tshark
captures:
	@tools/fetch-captures.sh

clean:
	cargo clean
