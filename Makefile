# The commands of this project. `make demo` and `make test` install what they need; see `make deps`.

CARGO ?= cargo

.PHONY: build check test demo bench deps

build:
	$(CARGO) build --release

# What a reader of the code should not have to find: format, lints, documentation.
check: deps
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

test: deps
	$(CARGO) test --quiet

# Ratios on this machine; see benches/.
bench: deps
	$(CARGO) bench --quiet
