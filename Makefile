# The commands of this project. `make demo` and `make test` install what they need; see `make deps`.

# Where rustup puts cargo. First, because a distribution's own cargo may be too old.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

CARGO ?= cargo

.PHONY: deps build check test demo bench

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
