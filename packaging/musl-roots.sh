#!/bin/sh
# Creates DIR/x64 and DIR/arm64: root directories with musl and its libstdc++, in which the release tests run the musl
# executables. Run `sh packaging/musl-roots.sh DIR`, then `CODEXLB_TEST_MUSL_ROOTS=DIR make test-release`. Needs apt,
# pip and the network. On Alpine Linux, run `apk add --root DIR/x64 --initdb libstdc++` instead.
set -eu
[ $# -eq 1 ] || { echo "usage: sh packaging/musl-roots.sh DIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
# The Debian mirror that this machine uses.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' | grep '/debian/*$' | head -n 1)
[ -n "$mirror" ] || { echo "musl-roots.sh: apt has no Debian mirror; add one to its sources" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Python wheels for Alpine contain the C++ libraries that their code needs, and numpy has wheels for both processors.
# Its libraries need musl 1.2.4 or newer, which Debian has since trixie.
root() {
  cpu=$1 debian=$2 machine=$3
  mkdir -p "$work/$cpu/apt/lists/partial" "$work/$cpu/apt/cache/archives/partial" "$out/$cpu/lib"
  : > "$work/$cpu/apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
    > "$work/$cpu/sources.list"
  cat > "$work/$cpu/apt.conf" <<CONF
APT::Architecture "$debian";
APT::Architectures { "$debian"; };
APT::Sandbox::User "root";
Dir::Etc::sourcelist "$work/$cpu/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$work/$cpu/apt";
Dir::State::status "$work/$cpu/apt/status";
Dir::Cache "$work/$cpu/apt/cache";
CONF
  (
    cd "$work/$cpu"
    export APT_CONFIG="$work/$cpu/apt.conf"
    apt-get -qq update
    apt-get -qq download musl
    dpkg-deb --extract musl_*.deb musl
  )
  cp -L "$work/$cpu/musl/usr/lib/$machine-linux-musl/libc.so" "$out/$cpu/lib/ld-musl-$machine.so.1"
  pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --platform "musllinux_1_2_$machine" \
    --dest "$work/$cpu" numpy==2.5.5
  (cd "$work/$cpu" && python3 -m zipfile --extract numpy-*.whl wheel)
  cp "$work/$cpu"/wheel/numpy.libs/libstdc++-*.so.* "$work/$cpu"/wheel/numpy.libs/libgcc_s-*.so.* "$out/$cpu/lib/"
  (cd "$out/$cpu/lib" && ln -sf libstdc++-*.so.6.* libstdc++.so.6)
}
root x64 amd64 x86_64
root arm64 arm64 aarch64
