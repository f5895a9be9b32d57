# The commands of this project. `make demo` and `make test` install what they need; see `make deps`.

# Where rustup puts cargo. First, because a distribution's own cargo may be too old.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

CARGO ?= cargo

.PHONY: deps build deb man reference check test test-units soak crash load demo bench fuzz screenshots

# What is missing of PostgreSQL, Slony-I, Rust and a C compiler, through apt and rustup. Silent if nothing is.
deps:
	@tests/support/deps.sh

build:
	@tests/support/deps.sh build
	$(CARGO) build --release
	@! grep -aq FAILPOINT_ $(addprefix $(or $(CARGO_TARGET_DIR),target)/release/,subscription_manager subscribe_series get_slony_logs) \
		|| { echo 'a release build holds failpoints: see src/failpoint' >&2; exit 1; }

PROFILE ?= release
TARGET := $(or $(CARGO_TARGET_DIR),target)

# Debian packages of the programs, in target/debian. `make deb PROFILE=debug` takes those of the tests, as they are.
deb: $(if $(filter release,$(PROFILE)),build)
	packaging/build.sh $(TARGET)/$(PROFILE) $(TARGET)/debian

# The man pages, in target/man, from the definitions of the command lines.
man:
	@mkdir -p $(TARGET)/man
	for program in subscription_manager subscribe_series get_slony_logs; do \
		$(CARGO) run --quiet -- generate man $$program >$(TARGET)/man/$$program.1 || exit 1; done

# docs/configuration.md, from the keys in the code and the samples in etc/.
reference:
	$(CARGO) run --quiet -- generate reference subscription_manager >docs/configuration.md
	$(CARGO) run --quiet -- generate reference subscribe_series >>docs/configuration.md

# What a reader of the code should not have to find: format, lints, documentation.
check: deps
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --quiet

# The tests wait for servers and disks as much as they compute: three binaries go on at once, those that take longest first. With more
# of them a site that has to catch up with a writer never does.
LONG := world crash hole soak
FIRST := $(LONG) subscription stream hooks subscribe
ALL := demo $(patsubst tests/%.rs,%,$(wildcard tests/*.rs)) $(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs))
TESTS := $(FIRST) $(filter-out $(FIRST),$(ALL))

test: deps
	$(CARGO) test --quiet --no-run
	$(MAKE) --no-print-directory --jobs=3 --output-sync=target --keep-going $(TESTS:%=test-%) test-units

$(LONG:%=test-%): export RUST_TEST_THREADS ?= 4
test-%:
	$(CARGO) test --quiet --no-fail-fast --test $*

test-units:
	$(CARGO) test --quiet --no-fail-fast --lib --bins
	$(CARGO) test --quiet --doc

# The test of the whole, which `make test` lets last a minute; SOAK_SEED=n makes the decisions of an earlier run again.
SOAK_SECONDS ?= 600

soak: deps
	SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --test soak -- --nocapture

# Killed, and without power, at every point that there is: hours, not minutes. `make test` takes a sample.
crash: deps
	CRASH_WALK=all $(CARGO) test --test crash -- --nocapture

# Many sites at once, many series in one request: tests/world/load.rs and many.rs.
LOAD_NODES ?= 5000
LOAD_SERIES ?= 10000

load: deps
	WORLD_NODES=$(LOAD_NODES) $(CARGO) test --test world a_thousand_sites
	WORLD_SERIES=$(LOAD_SERIES) $(CARGO) test --test world thousands_of_series

# The main job on a real Slony-I cluster, told step by step.
demo: deps
	$(CARGO) test --test demo

# Ratios on this machine; see benches/.
bench: deps
	$(CARGO) bench --quiet

# The pictures in docs/, of what the tests look at.
screenshots: deps
	SCREENSHOTS=$(CURDIR)/docs $(CARGO) test --test page seen

# Bytes that nobody thought of, in the place of an archive (tests/merged/harness.rs) and of every other text from outside
# (tests/parsers/bodies.rs). What was found lies in fuzz/artifacts. FUZZ_TARGETS picks some.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= archive $(notdir $(wildcard tests/parsers/seeds/*))

fuzz: $(addprefix fuzz-,$(FUZZ_TARGETS))

fuzz-%:
	@tests/support/deps.sh fuzz
	mkdir -p fuzz/corpus/$*
	$(CARGO) fuzz run --sanitizer none $* fuzz/corpus/$* $(if $(filter archive,$*),tests/golden tests/archives,tests/parsers/seeds/$*) -- \
		-dict=fuzz/$(if $(filter archive sql_text site_log array_literal,$*),archive,words).dict -max_len=20000 -timeout=10 -max_total_time=$(FUZZ_SECONDS)
