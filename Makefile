# The commands of this project. `make demo` and `make test` install what they need; see `make deps`.

# Where rustup puts cargo. First, because a distribution's own cargo may be too old.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

CARGO ?= cargo

.PHONY: deps build check test demo bench fuzz

# What is missing of PostgreSQL, Slony-I, Rust and a C compiler, through apt and rustup. Silent if nothing is.
deps:
	@tests/support/deps.sh

build:
	@tests/support/deps.sh build
	$(CARGO) build --release

# What a reader of the code should not have to find: format, lints, documentation.
check: deps
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

test: deps
	$(CARGO) test --quiet

# The main job on a real Slony-I cluster, told step by step.
demo: deps
	$(CARGO) test --test demo

# Ratios on this machine; see benches/.
bench: deps
	$(CARGO) bench --quiet

# Bytes that nobody thought of, in the place of an archive: tests/merged/harness.rs. What was found lies in fuzz/artifacts.
FUZZ_SECONDS ?= 60

fuzz:
	@tests/support/deps.sh fuzz
	mkdir -p fuzz/corpus/archive
	$(CARGO) fuzz run --sanitizer none archive fuzz/corpus/archive tests/golden tests/archives -- \
		-dict=fuzz/archive.dict -max_len=20000 -timeout=10 -max_total_time=$(FUZZ_SECONDS)
