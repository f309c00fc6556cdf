# shellcheck shell=bash disable=SC2154
# Lines that say what setup is doing, and how a step's own output is kept out of the way until it is needed.
# Sourced by setup.sh, which sets `log`, `began` and `consent`.

say() { printf '[%4d s] %s\n' "$(($(date +%s) - began))" "$*" >&2; }

# give_up WHAT HINT: one line of what, one of what to do.
give_up() {
  say "stopped: $1"
  printf '         %s\n' "$2" >&2
  exit 1
}

# quietly WHAT COMMAND...: the command's output goes to the log; a line every ten seconds says that it still works.
quietly() {
  local what=$1 pid rc=0 waited=0
  shift
  say "$what"
  printf '\n$ %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    [ $((waited % 10)) -ne 0 ] || say "  ... $waited s: $(tail -n 1 "$log" | tr '\r' '\n' | tail -n 1 | cut -c1-90)"
  done
  wait "$pid" || rc=$?
  if [ "$rc" -ne 0 ]; then
    tail -n 15 "$log" >&2
    give_up "$what: exit code $rc" "The whole output is in $log"
  fi
}

# ask QUESTION: yes by --yes, or by a person at a terminal; otherwise the script ends and says how to consent.
ask() {
  local answer=""
  [ -z "$consent" ] || return 0
  if [ ! -t 0 ]; then
    give_up "this needs your consent: $1" "Run it again with --yes"
  fi
  read -r -p "         $1 [y/N] " answer
  case "$answer" in
    y | Y | yes) return 0 ;;
    *) give_up "not done: $1" "Install and start a container engine yourself, then run this again" ;;
  esac
}

is_root() { [ "$(id -u)" = 0 ]; }
is_debian_like() { [ -r /etc/debian_version ] && command -v apt-get >/dev/null; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"; }

# Package lists are fetched once per run, and only when something is to be installed.
refresh_packages() {
  [ -z "${packages_refreshed:-}" ] || return 0
  quietly "asking the distribution for its package lists" apt update
  packages_refreshed=yes
}
