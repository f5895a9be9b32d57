#!/usr/bin/env bash
# `make deb`: two Debian packages from programs that are built, with nothing but dpkg-deb.
#
#   packaging/build.sh PROGRAMS INTO
#
# PROGRAMS is the directory of the three programs, INTO gets `<package>_<version>_<architecture>.deb`. VERSION in the
# environment takes the place of Cargo.toml's, COMPRESSION that of xz; who makes the packages says DEBFULLNAME and DEBEMAIL, as for all
# tools of Debian. The same sources give the same packages: all files have the date of
# SOURCE_DATE_EPOCH, or of the last commit.
set -euo pipefail

cd "$(dirname "$0")/.."
programs=$1
into=$2
mkdir -p "$into"

version=${VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)}
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

maintainer="${DEBFULLNAME:-subscription_manager developers} <${DEBEMAIL:-root@localhost}>"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

# put MODE FILE...  TARGET: into the package that is being made, with the directories above.
put() {
    local mode=$1
    shift
    install -D -m "$mode" "${@:1:$#-1}" "$root/${*: -1}"
}

# The oldest C library that has what the programs ask for.
libc_version() {
    grep -aohE 'GLIBC_2\.[0-9]+' "$@" | sort -V | tail -n 1 | sed 's/GLIBC_//'
}

# A program with its manual and its completions. Debug builds are stripped too: they are ten times as large.
program() {
    local name=$1
    put 755 "$programs/$name" "usr/bin/$name"
    strip --remove-section=.comment --remove-section=.note "$root/usr/bin/$name"
    "$programs/subscription_manager" generate man "$name" | gzip -9n >"$work/page"
    put 644 "$work/page" "usr/share/man/man1/$name.1.gz"
    "$programs/subscription_manager" generate bash "$name" >"$work/bash"
    put 644 "$work/bash" "usr/share/bash-completion/completions/$name"
    "$programs/subscription_manager" generate zsh "$name" >"$work/zsh"
    put 644 "$work/zsh" "usr/share/zsh/vendor-completions/_$name"
    "$programs/subscription_manager" generate fish "$name" >"$work/fish"
    put 644 "$work/fish" "usr/share/fish/vendor_completions.d/$name.fish"
}

# The links of a page as they are where all pages lie in one directory.
installed() {
    sed -E -e 's,\]\((\.\./)?docs/,](,g' -e 's,\]\((\.\./)?CHANGELOG\.md,](NEWS.md.gz,g' \
        -e 's,\]\((\.\./)?etc/(subscription_manager\.cfg),](../../../../etc/\2,g' \
        -e 's,\]\((\.\./)?etc/(subscription_manager\.service),](../../../lib/systemd/system/\2,g' \
        -e 's,\]\((\.\./)?etc/,](examples/,g' -e 's,\]\(\.\./([A-Z]),](\1,g'
}

# What both packages have. The rest of the arguments is its manual, in Markdown.
documents() {
    local package=$1
    shift
    put 644 packaging/copyright "usr/share/doc/$package/copyright"
    gzip -9nc CHANGELOG.md >"$work/news"
    put 644 "$work/news" "usr/share/doc/$package/NEWS.md.gz"
    printf '%s (%s) unstable; urgency=medium\n\n  * See NEWS.md.gz.\n\n -- %s  %s\n' "$package" "$version" "$maintainer" \
        "$(LC_ALL=C date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")" | gzip -9n >"$work/changelog"
    put 644 "$work/changelog" "usr/share/doc/$package/changelog.gz"
    local page
    for page; do
        installed <"$page" >"$work/page"
        put 644 "$work/page" "usr/share/doc/$package/${page##*/}"
    done
    put 644 etc/subscription_manager.sysusers "usr/lib/sysusers.d/$package.conf"
}

# Makes the package of what was put.
finish() {
    local package=$1
    shift
    mkdir -p "$root/DEBIAN"
    sed -e "s/@MAINTAINER@/$maintainer/" -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
        -e "s/@LIBC@/$(libc_version "$root"/usr/bin/*)/" -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f 1)/" \
        "packaging/$package/control" >"$root/DEBIAN/control"
    if [ -e "packaging/$package/lintian" ]; then
        put 644 "packaging/$package/lintian" "usr/share/lintian/overrides/$package"
    fi
    local script
    for script in preinst postinst prerm postrm; do
        [ ! -e "packaging/$package/$script" ] || put 755 "packaging/$package/$script" "DEBIAN/$script"
    done
    (cd "$root" && find etc -type f 2>/dev/null | sort | sed 's,^,/,') >"$work/conffiles" || true
    [ ! -s "$work/conffiles" ] || put 644 "$work/conffiles" DEBIAN/conffiles
    (cd "$root" && find usr -type f | sort | xargs md5sum) >"$root/DEBIAN/md5sums"
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$root" "$into/${package}_${version}_$architecture.deb" >/dev/null
    echo "$into/${package}_${version}_$architecture.deb"
}

root=$work/subscription-manager
program subscription_manager
put 644 etc/subscription_manager.cfg etc/subscription_manager.cfg
put 644 etc/subscription_manager.service usr/lib/systemd/system/subscription_manager.service
put 644 etc/subscription_manager.tmpfiles usr/lib/tmpfiles.d/subscription-manager.conf
for example in access monitor.json site.cfg; do
    put 644 "etc/$example" "usr/share/doc/subscription-manager/examples/$example"
done
put 644 docs/status-busy.png usr/share/doc/subscription-manager/status-busy.png
documents subscription-manager {README,PROTOCOL,RELIABILITY,ARCHITECTURE,CONTRIBUTING}.md docs/*.md
finish subscription-manager

root=$work/subscription-manager-site
program subscribe_series
program get_slony_logs
put 644 etc/site.cfg usr/share/doc/subscription-manager-site/examples/site.cfg
put 644 etc/get_slony_logs@.service usr/lib/systemd/system/get_slony_logs@.service
put 644 etc/get_slony_logs.tmpfiles usr/lib/tmpfiles.d/subscription-manager-site.conf
documents subscription-manager-site docs/{remote-site,configuration}.md
finish subscription-manager-site
