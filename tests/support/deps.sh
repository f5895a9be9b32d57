#!/usr/bin/env bash
# `make deps`: installs what is missing of what this project needs on Debian and Ubuntu, and says so; otherwise silent.
#
#   deps.sh build   a C compiler and a Rust toolchain: enough for `make build`
#   deps.sh fuzz    these, a C++ compiler and cargo-fuzz: what `make fuzz` runs
#   deps.sh         those of `build`, PostgreSQL, Slony-I, OpenSSH, strace, libfaketime, Chromium, a parser of Prometheus's
#                   format, and what the packages are tested with:
#                   what the tests and the demo run
#
# Programs are looked for where tests/support/programs.rs looks. Nothing that is installed is changed.
set -euo pipefail

cd "$(dirname "$0")/../.."

say() { echo make deps: "$@"; }
fail() { say "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
as_root() { "${sudo[@]}" "$@"; }

# ---- What is missing ---------------------------------------------------------------------------------------------

packages=()   # without those of PostgreSQL and Slony-I, whose names depend on a version
missing=()    # in words

# rustc lets cc link, and the C sources of some crates are compiled.
if ! has cc || [ ! -e /usr/include/stdio.h ]; then
    missing+=("a C compiler")
    packages+=(gcc libc6-dev)
fi

# Whether cargo is as new as Cargo.toml demands.
cargo_is_ready() {
    has cargo || return 1
    local wanted present
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    present=$(cargo --version 2>/dev/null) || return 1
    present=${present#cargo }
    [ "$(printf '%s\n' "$wanted" "${present%%[ -]*}" | sort -V | head -n 1)" = "$wanted" ]
}

rust=present
if ! cargo_is_ready; then
    rust=missing
    missing+=("Rust $(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml) or newer")
    has curl || packages+=(curl ca-certificates)
fi

# The directories that may hold PostgreSQL's programs, the best first.
postgres_directories() {
    pg_config --bindir 2>/dev/null || true
    printf '%s\n' /usr/lib/postgresql/[0-9]*/bin | sort -rV
    printf '%s\n' "${PATH//:/$'\n'}"
}

# The first of them with the program in it.
directory_of() {
    local directory
    while read -r directory; do
        if [ -x "$directory/$1" ]; then
            echo "$directory"
            return
        fi
    done < <(postgres_directories)
}

# The tests kill the daemon at a system call.
if [ "${1:-all}" = all ] && ! has strace; then
    missing+=(strace)
    packages+=(strace)
fi

# The tests set the clock of the daemon.
if [ "${1:-all}" = all ] && ! compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; then
    missing+=(libfaketime)
    packages+=(faketime)
fi

# The status page is looked at in a real browser. Ubuntu has it as a snap alone: there it is to be installed by hand.
if [ "${1:-all}" = all ] && ! { has chromedriver && { has chromium || has google-chrome; }; }; then
    missing+=("Chromium and its driver")
    packages+=(chromium chromium-driver)
fi

# ...and its numbers are read by the parser of Prometheus's Python client.
if [ "${1:-all}" = all ] && ! /usr/bin/python3 -c 'import prometheus_client.parser' 2>/dev/null; then
    missing+=("the Python client of Prometheus")
    packages+=(python3-prometheus-client)
fi

# The site's tools use ssh, and the tests start an sshd of their own for them.
has_sshd() { has sshd || [ -x /usr/sbin/sshd ]; }

sshd=present
if [ "${1:-all}" = all ] && ! { has_sshd && has ssh && has ssh-keygen; }; then
    missing+=("OpenSSH, client and server")
    packages+=(openssh-client)
    if ! has_sshd; then
        sshd=missing
        packages+=(openssh-server)
    fi
fi

# The package's unit is judged by systemd-analyze, its account made by systemd-sysusers, its pages read by man, its completions
# tried by each shell. In a container the package starts nothing.
if [ "${1:-all}" = all ]; then
    if ! { has systemd-analyze && has systemd-sysusers && has systemd-tmpfiles; }; then
        missing+=(systemd)
        packages+=(systemd)
    fi
    if ! { has man && has groff; }; then
        missing+=(man)
        packages+=(man-db groff-base)
    fi
    if ! { has zsh && has fish && has script; }; then
        missing+=("zsh, fish and script")
        packages+=(zsh fish bsdutils)
    fi
    if ! { has dpkg-deb && has nsenter && has unshare && has setpriv; }; then
        missing+=("dpkg and util-linux")
        packages+=(dpkg util-linux mount)
    fi
    if ! { has col && has strip; }; then
        missing+=("col and strip")
        packages+=(bsdextrautils binutils)
    fi
fi

# libFuzzer is compiled from its C++ sources.
cargo_fuzz=present
if [ "${1:-all}" = fuzz ]; then
    if ! has c++; then
        missing+=("a C++ compiler")
        packages+=(g++)
    fi
    if ! has cargo-fuzz; then
        cargo_fuzz=missing
        missing+=(cargo-fuzz)
    fi
fi

bindir=''
server=present
slony=present
if [ "${1:-all}" = all ]; then
    bindir=$(directory_of initdb)
    if [ -z "$bindir" ]; then
        server=missing
        missing+=("a PostgreSQL server")
    fi
    # The server loads a module of Slony-I, so that it must be there for this version.
    libdir=$([ -x "$bindir/pg_config" ] && "$bindir/pg_config" --pkglibdir || echo "${bindir%/bin}/lib")
    if [ -z "$bindir" ] || [ -z "$(directory_of slon)" ] || [ -z "$(directory_of slonik)" ] ||
        ! compgen -G "$libdir/slony1_funcs*.so" >/dev/null; then
        slony=missing
        missing+=("Slony-I")
    fi
fi

[ ${#missing[@]} -gt 0 ] || exit 0

list=$(printf ', %s' "${missing[@]}")
say "not installed yet: ${list:2}"

# ---- Packages ----------------------------------------------------------------------------------------------------

# The versions of PostgreSQL for which the distribution has Slony-I, the highest first.
versions_with_slony() {
    apt-cache pkgnames postgresql- | sed -n 's/^postgresql-\([0-9]*\)-slony1-2$/\1/p' | sort -rn
}

# Adds to `packages` what the server and Slony-I are called here.
name_postgres_packages() {
    local version='' candidate
    case $bindir in
    /usr/lib/postgresql/*/bin)
        version=${bindir#/usr/lib/postgresql/}
        version=${version%/bin}
        ;;
    ?*) fail "Slony-I is missing for the PostgreSQL in $bindir, which is no package: build it for that one" ;;
    esac
    for candidate in $(versions_with_slony); do
        if [ -z "$version" ] || [ "$version" = "$candidate" ]; then
            packages+=("postgresql-$candidate-slony1-2" slony1-2-bin)
            [ $server = present ] || packages+=("postgresql-$candidate")
            return
        fi
    done
    fail "apt has no package postgresql-${version:-<version>}-slony1-2 (on Ubuntu it is in \`universe\`)"
}

# A packaged server makes a database cluster and starts it when it is installed. The tests start their own, so on a
# machine without PostgreSQL that is prevented for as long as the packages are installed.
no_main_cluster=/etc/postgresql-common/createcluster.d/subscription-manager.conf

# A packaged sshd runs as a service from then on, and lets people in, unless this file is there.
no_service=/etc/ssh/sshd_not_to_be_run

install_packages() {
    if [ $server = missing ]; then
        say "no database cluster is created or started; \`pg_createcluster\` does that if you want one"
        trap 'as_root rm -f "$no_main_cluster"' EXIT
        as_root mkdir -p "${no_main_cluster%/*}"
        echo 'create_main_cluster = false' | as_root tee "$no_main_cluster" >/dev/null
    fi
    if [ $sshd = missing ]; then
        say "sshd does not become a service: $no_service keeps it from that; remove the file if you want one"
        as_root mkdir -p "${no_service%/*}"
        as_root touch "$no_service"
    fi
    say "${sudo[@]}" "apt-get install ${packages[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends "${packages[@]}"
}

if [ ${#packages[@]} -gt 0 ] || [ $slony = missing ]; then
    has apt-get || fail "there is no apt-get here. Please install: ${list:2}" \
        "(programs: cc, cargo, curl, initdb, postgres, psql, pg_dump, slon, slonik, ssh, sshd; Slony-I 2.2 for that PostgreSQL)"
    if [ ${#sudo[@]} -gt 0 ] && ! has sudo; then
        [ $slony = present ] || name_postgres_packages
        fail "this needs root, and there is no sudo; as root: apt-get install ${packages[*]}"
    fi
    say "${sudo[@]}" "apt-get update"
    as_root apt-get update --quiet
    [ $slony = present ] || name_postgres_packages
    install_packages
fi

# ---- Rust --------------------------------------------------------------------------------------------------------

if [ $rust = missing ]; then
    if has rustup; then
        # Which toolchains are there, and which is the default, is their owner's decision.
        fail "the default toolchain of rustup is too old or missing: rustup default stable && rustup update stable"
    fi
    say "rustup, from https://sh.rustup.rs, puts the stable toolchain, rustfmt and clippy into ~/.cargo and ~/.rustup"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        RUSTUP_INIT_SKIP_PATH_CHECK=yes sh -s -- -y --quiet --no-modify-path --profile minimal -c rustfmt -c clippy
fi

if [ $cargo_fuzz = missing ]; then
    say "cargo-fuzz, from crates.io, into ~/.cargo"
    cargo install --locked --quiet cargo-fuzz
fi
