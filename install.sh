#!/bin/sh
# Installs codexlb for the current user:
#
#   curl -fsSL https://github.com/gngeorgiev/codexlb/releases/latest/download/install.sh | sh
#
# `sh install.sh --help` lists the options. The script runs in any POSIX shell and in zsh. It needs tar, a SHA-256
# tool, and curl or wget.

set -eu
# By default, zsh exits if no file matches a pattern.
if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi

REPOSITORY="${RELEASE_REPOSITORY:-gngeorgiev/codexlb}"

usage() {
  cat <<USAGE
usage: install.sh [--version X.Y.Z] [--bin-dir DIR] [--from DIR|URL]
       install.sh --uninstall [--bin-dir DIR]

  --version X.Y.Z  install this version (default: the newest)
  --bin-dir DIR    install to DIR (default: ~/.local/bin)
  --from DIR|URL   install from a directory or a mirror instead of GitHub
  --uninstall      remove the executable, its man page and completions; keep accounts and settings
USAGE
}

say() { printf '%s\n' "$*"; }

# fail MESSAGE NEXT: prints what went wrong and what to do next, and exits.
fail() {
  printf 'install.sh: %s\n  %s\n' "$1" "$2" >&2
  exit 1
}

wrong_usage() {
  printf 'install.sh: %s\n' "$1" >&2
  usage >&2
  exit 2
}

have() { command -v "$1" >/dev/null 2>&1; }

# normalise PATH: prints PATH as an absolute path without `.`, `..` and redundant slashes. It need not exist.
normalise() {
  case $1 in
    /*) left=$1 ;;
    *) left=$PWD/$1 ;;
  esac
  result=''
  while [ -n "$left" ]; do
    part=${left%%/*}
    case $left in
      */*) left=${left#*/} ;;
      *) left='' ;;
    esac
    case $part in
      '' | .) ;;
      ..) result=${result%/*} ;;
      *) result=$result/$part ;;
    esac
  done
  say "${result:-/}"
}

# Prints the target for this machine, as the names of release files spell it.
detect_target() {
  os=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "codexlb has no build for the processor $machine" "builds exist for x86_64 and arm64" ;;
  esac
  case $os in
    Darwin)
      # A shell under Rosetta reports an Intel processor.
      if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || true)" = 1 ]; then cpu=arm64; fi
      say "darwin-$cpu"
      ;;
    Linux)
      if [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" != 64 ]; then
        fail "this is a 32-bit system on a 64-bit processor" "codexlb needs a 64-bit system"
      fi
      libc=
      if is_musl; then libc=-musl; fi
      if [ $cpu = x64 ] && ! grep -q -w avx2 /proc/cpuinfo; then
        if [ -n "$libc" ]; then
          fail "this processor has no AVX2, which the build for musl needs" "use a system with glibc on this machine"
        fi
        libc=-baseline
      fi
      say "linux-$cpu$libc"
      ;;
    *) fail "codexlb has no build for $os" "builds exist for Linux and macOS; on Windows install it inside WSL" ;;
  esac
}

# Asks ldd first, because it belongs to the system's own libc. A loader of the other libc may also be installed.
is_musl() {
  if have ldd; then
    case $(ldd --version 2>&1 || true) in
      *musl*) return 0 ;;
      *) return 1 ;;
    esac
  fi
  for loader in /lib/ld-musl-*.so.1; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

# without_login URL: prints URL without the user name and password in it.
without_login() { say "$1" | sed 's|^\([a-z]*://\)[^/]*@|\1|'; }

# is_private HOST: whether HOST is on this machine or in its private network.
is_private() {
  case $1 in
    \[::1\] | \[f[cd]*:*\] | \[fe[89ab]?:*\]) return 0 ;;
    127.* | 10.* | 192.168.* | 169.254.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | 100.6[4-9].* | 100.[7-9]?.* | \
      100.1[01]?.* | 100.12[0-7].*)
      # A name may begin like an address.
      case $1 in
        *[!0-9.]*) return 1 ;;
      esac
      ;;
    *.localhost | *.local | *.internal | *.lan | *.home.arpa) ;;
    \[* | *.*) return 1 ;;
    # A name without a dot is local, but a number without one is an address.
    *[!0-9]*) ;;
    *) return 1 ;;
  esac
}

# check_url URL: refuses a URL from which a release cannot be downloaded safely.
check_url() {
  case $1 in
    *[?#]*) wrong_usage "the URL in --from must not contain ? or #" ;;
    http://*) ;;
    *) return ;;
  esac
  host=$(say "$1" | sed -e 's|^http://||' -e 's|/.*||' -e 's|.*@||' -e 's|:[0-9]*$||')
  if ! is_private "$host"; then
    fail "--from is an http URL, and $host is not in a private network" \
      "use https, because the checksums come from the same place as the files"
  fi
}

# fetch NAME FILE: downloads or copies the file NAME of the release to FILE.
fetch() {
  case $base in
    http://* | https://*) download "$base/$1" "$2" ;;
    *)
      if ! problem=$(cp "$base/$1" "$2" 2>&1); then
        fail "copying $base/$1 failed: $problem" \
          "check that --from names a complete release directory, and the free space in $bin_dir; nothing was changed"
      fi
      ;;
  esac
}

download() {
  if have curl; then
    # Refuse a redirect from https to http.
    case $1 in
      https://*) protocols='=https' ;;
      *) protocols='=http,https' ;;
    esac
    if curl -fsSL --proto "$protocols" --proto-redir "$protocols" -o "$2" "$1"; then return; fi
  elif have wget; then
    if wget -q -O "$2" "$1"; then return; fi
  else
    fail "downloading needs curl or wget, and neither is on PATH" \
      "install one of them, or download the release elsewhere and use --from DIR"
  fi
  fail "downloading $(without_login "$1") failed" \
    "check the version, the network, HTTPS_PROXY and the free space in $bin_dir; nothing was changed"
}

# Reads from standard input, because sha256sum marks lines with the name of a file that contains a backslash.
sha256_of() {
  if have sha256sum; then
    sha256sum <"$1" | cut -d ' ' -f 1
  elif have shasum; then
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  elif have openssl; then
    openssl dgst -sha256 <"$1" | sed 's/.* //'
  else
    fail "verifying the download needs sha256sum, shasum or openssl, and none is on PATH" "install one of them"
  fi
}

# resolve PATH: prints PATH with symbolic links followed. Old versions of macOS have no readlink -f.
resolve() {
  resolved=$1
  while [ -L "$resolved" ]; do
    link=$(readlink "$resolved")
    case $link in
      /*) resolved=$link ;;
      *) resolved=$(dirname "$resolved")/$link ;;
    esac
  done
  say "$(cd "$(dirname "$resolved")" && pwd -P)/$(basename "$resolved")"
}

# Without a system database, as on Debian, an rpm query would create one in the user's home directory.
has_rpm_database() { have rpm && [ -d "$(rpm --eval '%{_dbpath}' 2>/dev/null)" ]; }

# refuse_packaged PATH: fails when a package manager owns the executable at PATH.
refuse_packaged() {
  real=$(resolve "$1")
  owner=
  case $real in
    */Cellar/*)
      owner=Homebrew
      upgrade="brew upgrade codexlb"
      remove="brew uninstall codexlb"
      ;;
    */node_modules/*)
      owner=npm
      upgrade="npm install -g codexlb@latest"
      remove="npm uninstall -g codexlb"
      ;;
    *)
      if have dpkg-query && dpkg-query -S "$real" >/dev/null 2>&1; then
        owner=dpkg
        upgrade="apt install ./codexlb_VERSION_ARCH.deb"
        remove="apt remove codexlb"
      elif has_rpm_database && rpm -qf "$real" >/dev/null 2>&1; then
        owner=rpm
        upgrade="dnf install ./codexlb-VERSION-1.ARCH.rpm"
        remove="dnf remove codexlb"
      fi
      ;;
  esac
  if [ -n "$owner" ]; then
    fail "$owner installed $1, so install.sh does not change it" "upgrade it with: $upgrade; remove it with: $remove"
  fi
}

# place FILE DESTINATION: copies FILE to DESTINATION, which it replaces in one step.
place() {
  mkdir -p "$(dirname "$2")" &&
    cp "$1" "$2.new.$$" &&
    chmod 644 "$2.new.$$" &&
    mv -f "$2.new.$$" "$2"
}

# quoted WORD: prints WORD as the shell reads it, in quotes only where it needs them.
quoted() {
  case $1 in
    *[!A-Za-z0-9/._+@%,:=-]*) say "'$(say "$1" | sed "s/'/'\\\\''/g")'" ;;
    *) say "$1" ;;
  esac
}

# in_double_quotes PATH CHARACTERS: prints PATH as text for double quotes, with a backslash before each of CHARACTERS (a
# bracket expression of sed), and with $HOME for the home directory.
in_double_quotes() {
  prefix='' suffix=$1
  case $1 in
    "$home"/*) prefix="\$HOME/" suffix=${1#"$home"/} ;;
  esac
  say "$prefix$(say "$suffix" | sed "s/$2/\\\\&/g")"
}

# Prints the file that sets PATH for the user's shell. bash on macOS starts as a login shell, which ignores ~/.bashrc.
startup_file() {
  case $(basename "${SHELL:-sh}")-$target in
    zsh-*) say .zshrc ;;
    bash-darwin-*)
      # If ~/.bash_profile exists, bash ignores ~/.profile, so do not create one beside the other.
      if [ ! -e "$home/.bash_profile" ] && [ -e "$home/.profile" ]; then say .profile; else say .bash_profile; fi
      ;;
    bash-*) say .bashrc ;;
    *) say .profile ;;
  esac
}

advise_path() {
  case :$PATH: in
    *":$bin_dir:"* | *":$bin_dir/:"*) return ;;
  esac
  say ""
  say "$bin_dir is not on PATH. Run this once, then open a new terminal:"
  case $(basename "${SHELL:-sh}") in
    fish) say "  fish_add_path \"$(in_double_quotes "$bin_dir" '[\\"$]')\"" ;;
    *)
      directory=$(in_double_quotes "$bin_dir" '[\\"$`]' | sed "s/'/'\\\\''/g")
      say "  echo 'export PATH=\"$directory:\$PATH\"' >> ~/$(startup_file)"
      ;;
  esac
}

# service_program FILE: prints the path of the executable that a systemd unit or a launchd property list starts.
service_program() {
  case $1 in
    *.plist)
      sed -n '/<key>ProgramArguments</,/<\/array>/s/.*<string>\(.*\)<\/string>.*/\1/p' "$1" |
        sed -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&quot;/"/g' -e 's/&amp;/\&/g' -e q
      ;;
    *)
      program=$(sed -n -e 's/^ExecStart *= *[-@:+!]*"\([^"]*\)".*/\1/p' \
        -e 's/^ExecStart *= *[-@:+!]*\([^" ][^ ]*\).*/\1/p' "$1" | sed -e 's/%%/%/g' -e q)
      case $program in
        %h/*) program=$home${program#%h} ;;
      esac
      say "$program"
      ;;
  esac
}

# Prints the file of the service that runs the executable in $bin_dir, or nothing.
find_service() {
  for file in "$home/.config/systemd/user/codexlb-proxy.service" /etc/systemd/system/codexlb-proxy.service \
    "$home/Library/LaunchAgents/com.codexlb.proxy.plist"; do
    if [ -r "$file" ]; then
      program=$(service_program "$file")
      if [ "$program" = "$bin_dir/codexlb" ] ||
        { [ -e "$program" ] && [ -e "$bin_dir/codexlb" ] &&
          [ "$(resolve "$program")" = "$(resolve "$bin_dir/codexlb")" ]; }; then
        say "$file"
        return
      fi
    fi
  done
}

# service_command COMMAND FILE: prints the `codexlb service` command for the service in FILE.
service_command() {
  case $2 in
    /etc/*) say "sudo $(quoted "$bin_dir/codexlb") service $1 --system" ;;
    *) say "$(quoted "$bin_dir/codexlb") service $1" ;;
  esac
}

# Prints the directories of the user's other copies of codexlb. All copies share the man page and completions.
other_copies() {
  if [ -f "$copies" ]; then cat "$copies"; else say "$home/.local/bin"; fi | while IFS= read -r directory; do
    if [ "$directory" != "$bin_dir" ] && [ -e "$directory/codexlb" ]; then say "$directory"; fi
  done
}

# Writes the list of directories on standard input to $copies.
record_copies() {
  mkdir -p "$(dirname "$copies")" && cat >"$copies.new.$$" && mv -f "$copies.new.$$" "$copies"
}

# remove FILE: removes FILE, if it exists. Sets $removed or, after rm has printed why it could not, $failed.
remove() {
  if [ -e "$1" ] || [ -L "$1" ]; then
    if rm -f "$1"; then
      removed=yes
      say "removed $1"
    else
      failed=yes
    fi
  fi
}

# Removes the directories of earlier runs that were killed. Their names contain the number of the process.
remove_abandoned() {
  for directory in "$bin_dir"/.codexlb.*.*/; do
    process=${directory##*/.codexlb.}
    process=${process%%.*}
    case $process in
      *[!0-9]*) ;;
      *) if ! kill -0 "$process" 2>/dev/null; then rm -rf "$directory" || true; fi ;;
    esac
  done
}

uninstall() {
  if [ -e "$bin_dir/codexlb" ]; then refuse_packaged "$bin_dir/codexlb"; fi
  service=$(find_service)
  if [ -n "$service" ]; then
    fail "the service in $service runs $bin_dir/codexlb, so nothing was removed" \
      "remove the service first: $(service_command uninstall "$service"); if that fails, stop it and delete its file"
  fi
  removed='' failed=''
  remove "$bin_dir/codexlb"
  if [ -n "$failed" ]; then
    fail "removing $bin_dir/codexlb failed" "run this as a user who can write to $bin_dir"
  fi
  remove_abandoned
  others=$(other_copies)
  if [ -z "$others" ]; then
    # An earlier run may have removed the executable and failed to remove these.
    for file in "$man_page" "$bash_completion" "$zsh_completion" "$fish_completion" "$copies"; do
      remove "$file"
    done
    rmdir "$(dirname "$copies")" 2>/dev/null || true
  elif [ -n "$removed" ]; then
    say "kept the man page and completions, which the copy in $(say "$others" | sed q) uses"
    if ! say "$others" | record_copies; then failed=yes; fi
  fi
  if [ -n "$failed" ]; then
    fail "removing some files failed (see above)" "run this again as a user who can write to their directories"
  fi
  if [ -z "$removed" ]; then
    fail "there is no codexlb in $bin_dir" "name its directory with --bin-dir DIR"
  fi
  say "Accounts and settings stay in ${CODEXLB_ROOT:-$home/.codex-lb}. A running proxy keeps running until you stop it."
}

install_release() {
  # If the user chose a directory, a packaged copy elsewhere on PATH does not matter.
  if [ -e "$bin_dir/codexlb" ]; then
    refuse_packaged "$bin_dir/codexlb"
  elif [ -z "$chosen_dir" ] && have codexlb; then
    refuse_packaged "$(command -v codexlb)"
  fi
  if [ -d "$bin_dir/codexlb" ]; then
    fail "$bin_dir/codexlb is a directory" "choose another directory with --bin-dir DIR"
  fi
  target=$(detect_target) || exit
  for program in mktemp tar; do
    if ! have "$program"; then fail "installing needs $program, which is not on PATH" "install $program"; fi
  done

  # Stage the new executable on the same file system, so that the last step is one rename.
  if ! mkdir -p "$bin_dir" 2>/dev/null || ! stage=$(mktemp -d "$bin_dir/.codexlb.$$.XXXXXX" 2>/dev/null); then
    fail "writing to $bin_dir failed" "choose another directory with --bin-dir DIR, or run this as its owner"
  fi
  trap 'rm -rf "$stage"' EXIT
  remove_abandoned
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  trap 'exit 141' PIPE

  fetch SHA256SUMS "$stage/SHA256SUMS"
  # A mirror may have changed the ends of the lines.
  cr=$(printf '\r')
  if [ -z "$version" ]; then
    version=$(sed -n "s/^[0-9a-f]* [ *]codexlb-\(.*\)-$target\.tar\.gz$cr*\$/\1/p" "$stage/SHA256SUMS")
    case $version in
      '')
        fail "the release at $(without_login "$base") has no build for $target" \
          "choose another release with --version X.Y.Z"
        ;;
      *"
"*) fail "$(without_login "$base") contains several versions" "choose one with --version X.Y.Z" ;;
    esac
    # Use the version's own URL, because "latest" may point to another release before the next download.
    if [ -z "$from" ]; then base=$(release_url "$version"); fi
  fi
  name=codexlb-$version-$target
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\.tar\.gz$cr*\$/\1/p" "$stage/SHA256SUMS")
  if [ -z "$expected" ]; then
    fail "SHA256SUMS at $(without_login "$base") does not list $name.tar.gz" "check the version; nothing was changed"
  fi
  say "installing codexlb $version for $target"
  fetch "$name.tar.gz" "$stage/$name.tar.gz"
  found=$(sha256_of "$stage/$name.tar.gz")
  if [ "$found" != "$expected" ]; then
    fail "verifying $name.tar.gz failed: its SHA-256 is $found, but SHA256SUMS lists $expected" \
      "nothing was changed; try again, and report this if it happens again"
  fi
  # Enter the directory, because GNU tar reads escapes and host names in paths.
  if ! (cd "$stage" && tar -xzf "$name.tar.gz"); then
    if have gzip; then next="check the free space in $bin_dir"; else next="install gzip"; fi
    fail "unpacking $name.tar.gz failed" "$next; nothing was changed"
  fi
  new=$stage/$name
  chmod 755 "$new/codexlb"
  code=0
  reported=$("$new/codexlb" --version 2>&1) || code=$?
  if [ $code != 0 ]; then
    case $code$target in
      # A shell exits with 126 for a file that it may not run.
      126*) next="check that $bin_dir is not on a file system that is mounted with noexec; nothing was changed" ;;
      *-musl) next="install libstdc++ (Alpine: apk add libstdc++) and try again; nothing was changed" ;;
      *) next="nothing was changed; please report this" ;;
    esac
    # The loader of musl prints a line for each of dozens of symbols.
    fail "codexlb for $target does not run on this machine: $(say "$reported" | sed q)" "$next"
  fi
  replaced=
  if [ -e "$bin_dir/codexlb" ]; then replaced=yes; fi
  # Rename instead of copying, because a running proxy needs the file that it was started from.
  mv -f "$new/codexlb" "$bin_dir/codexlb"
  say "installed $bin_dir/codexlb"
  service=$(find_service)
  if [ -n "$replaced" ] && [ -n "$service" ]; then
    say "The service runs the old version until you restart it: $(service_command restart "$service")"
  elif [ -n "$replaced" ]; then
    say "A running proxy keeps the old version until you restart it."
  fi
  if place "$new/man/codexlb.1" "$man_page" &&
    place "$new/completions/codexlb.bash" "$bash_completion" &&
    place "$new/completions/_codexlb" "$zsh_completion" &&
    place "$new/completions/codexlb.fish" "$fish_completion" &&
    { other_copies && say "$bin_dir"; } | record_copies; then
    say "installed the man page and completions below $data_dir"
    if [ -z "$replaced" ] && [ "$(basename "${SHELL:-sh}")" = zsh ]; then
      say "For the completions, add this line to ~/.zshrc, before compinit:"
      say "  fpath=($(quoted "$(dirname "$zsh_completion")") \$fpath)"
    fi
  else
    say "warning: installing the man page and completions below $data_dir failed" >&2
  fi
  other=$(command -v codexlb || true)
  advise_path
  if [ -n "$other" ] && [ "$(resolve "$other")" != "$(resolve "$bin_dir/codexlb")" ]; then
    say "warning: the shell finds $other first; remove it, or put $bin_dir before it on PATH" >&2
  fi
}

release_url() { say "https://github.com/$REPOSITORY/releases/download/v$1"; }

main() {
  version='' chosen_dir='' from='' action=install_release
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --bin-dir | --from)
        if [ $# -lt 2 ] || [ -z "$2" ]; then wrong_usage "$1 needs a value"; fi
        case $1 in
          --version) version=${2#v} ;;
          --bin-dir) chosen_dir=$2 ;;
          --from) from=${2%/} ;;
        esac
        shift 2
        ;;
      --uninstall)
        action=uninstall
        shift
        ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) wrong_usage "unknown argument $1" ;;
    esac
  done
  case $version in
    *[!0-9A-Za-z.+-]*) wrong_usage "$version is not a version" ;;
  esac
  if [ $action = uninstall ] && [ -n "$version" ]; then
    wrong_usage "--uninstall removes the installed version, so leave out --version"
  fi
  if [ -z "${HOME:-}" ]; then fail "HOME is not set" "set HOME to your home directory"; fi
  home=$(normalise "$HOME")
  home=${home%/}
  bin_dir=$(normalise "${chosen_dir:-$home/.local/bin}")
  data_dir=$(normalise "${XDG_DATA_HOME:-$home/.local/share}")
  man_page=$data_dir/man/man1/codexlb.1
  bash_completion=$data_dir/bash-completion/completions/codexlb
  zsh_completion=$data_dir/zsh/site-functions/_codexlb
  copies=$data_dir/codexlb/bin-dirs
  fish_completion=$data_dir/fish/vendor_completions.d/codexlb.fish
  if [ -n "$from" ]; then
    case $from in
      http://* | https://*) check_url "$from" ;;
    esac
    base=$from
  elif [ -n "$version" ]; then
    base=$(release_url "$version")
  else
    base=https://github.com/$REPOSITORY/releases/latest/download
  fi
  "$action"
}

# This call is the last line, so that an incomplete download of this script runs nothing.
main "$@"
