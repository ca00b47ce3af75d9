#!/usr/bin/env bash
# `make fresh`: what somebody sees who clones HEAD onto a Debian with Python 3.11, Java 17, make and git, and nothing else.
#
#     1. `make demo` without libgomp1 stops at once and names the command that brings it
#     2. with libgomp1: `make demo`
#     3. `make test`, of $ARGS where that is set
#
# The Debian comes by debootstrap from this machine's own package sources, into a folder of ${TMPDIR:-/var/tmp} that goes in
# the end. Mounts and processes are in namespaces of their own, which end with this script, however it ends.
set -euo pipefail

RELEASE=bookworm  # the Debian whose Python is 3.11
PACKAGES="python3.11 python3.11-venv openjdk-17-jre-headless make git"
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "fresh: $*" >&2; }

fail() { say "$*"; exit 1; }

# Of each of this machine's Debian sources its address, suite and component.
sources() {
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk -v release="$RELEASE" '$4 == "Debian" && index($2, release) == 1 {print $1, $2, $3}' | sort -u
}

# The variables that say how package indexes are reached: pip's, certificates, proxies.
handed_over() { compgen -e | grep -E '^(PIP_.*|SSL_CERT_(FILE|DIR)|JAVA_TOOL_OPTIONS|[a-zA-Z]+_(proxy|PROXY))$' || true; }

# Run a command in the Debian; its environment is what follows, and nothing of ours but what is handed over.
inside() {
  local settings=() name
  for name in $(handed_over); do settings+=("$name=${!name}"); done
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${settings[@]}" \
    chroot "$root" "$@"
}

# Run a step that says nothing unless it fails.
quietly() { "$@" >>"$root.log" 2>&1 || { tail -20 "$root.log" >&2; fail "failed: $*"; }; }

install() { quietly inside apt-get -qq install -y --no-install-recommends "$@"; }

make_debian() {
  local mirror http_proxy=${http_proxy:-}
  mirror=$(sources | awk -v release="$RELEASE" '$2 == release && $3 == "main" {print $1; exit}')
  [ -n "$mirror" ] || fail "apt knows no Debian $RELEASE: call apt-get update, or name one in /etc/apt/sources.list.d"
  [ -n "$http_proxy" ] || eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
  [ -z "$http_proxy" ] || export http_proxy
  quietly debootstrap --variant=minbase --include=ca-certificates "$RELEASE" "$root" "$mirror"
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  sources | awk '{print "deb", $1, $2, $3}' >"$root/etc/apt/sources.list"
  apt-config dump | { grep -E '^Acquire::(https?|Check|Retries)' || true; } >"$root/etc/apt/apt.conf.d/90machine"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  # Keys of a mirror; certificates of a company, before Java makes its own list of them.
  give_folder /etc/apt/trusted.gpg.d
  give_folder /usr/local/share/ca-certificates
  quietly inside update-ca-certificates
  quietly inside apt-get -qq update
  install $PACKAGES
}

give_folder() { if [ -d "$1" ]; then mkdir -p "$root$1" && cp -rL "$1/." "$root$1/"; fi; }

# What pip is set to, and the files and folders that it names.
give_settings() {
  local name path
  for path in ~/.config/pip ~/.pip; do give_folder "$path"; done
  if [ -f /etc/pip.conf ]; then cp -L /etc/pip.conf "$root/etc/"; fi
  for name in $(handed_over); do
    path=${!name}
    if [[ "$path" != /* || ! -e "$path" || -e "$root$path" ]]; then continue; fi
    if [ -d "$path" ]; then
      mkdir -p "$root$path" && mount --bind -o ro "$path" "$root$path"
    else
      mkdir -p "$(dirname "$root$path")" && cp -L "$path" "$root$path"
    fi
  done
}

# `make TARGET` in the clone, timed; ARGS follows.
makes() {
  local start=$SECONDS
  say "make $1${2:+, ARGS=$2}"
  inside env --chdir=/root/nextclick ARGS="${2:-}" make "$1" || fail "make $1 failed after $((SECONDS - start)) s"
  say "make $1: $((SECONDS - start)) s"
}

refuses_without_libgomp() {
  local start=$SECONDS said
  if said=$(inside env --chdir=/root/nextclick make demo 2>&1); then fail "make demo went well without libgomp1"; fi
  echo "$said"
  [[ "$said" = *'`apt-get install libgomp1`'* ]] || fail "make demo without libgomp1 does not name the command that brings it"
  [ ! -e "$root/root/nextclick/.venv" ] || fail "make demo without libgomp1 began to install"
  say "without libgomp1 make demo stops after $((SECONDS - start)) s, before it fetches anything"
}

try() {
  local start=$SECONDS
  say "a Debian $RELEASE with $PACKAGES"
  make_debian
  give_settings
  quietly git clone --no-local "$checkout" "$root/root/nextclick"
  say "made in $((SECONDS - start)) s, $(du -sxm "$root" | cut -f1) MB; $(git -C "$root/root/nextclick" log -1 --format='%h %s')"
  refuses_without_libgomp
  install libgomp1
  makes demo
  makes test "${ARGS:-}"
}

# Remove the Debian, unless something is still mounted in it (in this namespace nothing ever is).
clean_up() {
  local attempt
  [ -z "$child" ] || { kill -KILL "$child" && wait "$child"; } 2>/dev/null || true  # its processes die with it
  if grep -qF " $root/" /proc/self/mounts; then fail "something is mounted below $root: unmount it, then remove the folder"; fi
  for attempt in 1 2 3; do
    rm -rf --one-file-system "$root" "$root.log" 2>/dev/null && return
    sleep 1
  done
  fail "$root could not be removed"
}

if [ "${1:-}" = --inside ]; then
  root=$2
  try
  exit
fi
[ "$(id -u)" = 0 ] || fail "root is needed, for debootstrap and chroot"
for program in debootstrap unshare git; do
  command -v $program >/dev/null || fail "$program is missing: \`apt-get update && apt-get install debootstrap util-linux git\`"
done
child=
root=$(mktemp -d "${TMPDIR:-/var/tmp}/nextclick-fresh.XXXXXX")
trap clean_up EXIT
chmod 755 "$root"
trap 'exit 130' INT TERM HUP
set -m  # a job of its own group: else its processes would be deaf to SIGINT, which tests send
unshare --mount --pid --fork --kill-child "${BASH_SOURCE[0]}" --inside "$root" </dev/null &
child=$!
wait "$child" && status=0 || status=$?
child=
exit "$status"
