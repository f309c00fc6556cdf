#!/usr/bin/env bash
# A Docker engine for the tests on a bare Debian 12 machine.
#
# Uses the engine that already answers. Only when none does, it installs Docker 26 from Debian 13
# (a mixed suite: for test machines, never for a user's own; `setup.sh` does not do this) and starts
# the daemon in the background. What it started is recorded, so `engine.sh stop` ends that and nothing else.
#
#   tests/rig/engine.sh start    make sure that an engine answers (safe to repeat)
#   tests/rig/engine.sh stop     stop the daemon that `start` started; leaves any other engine alone
#   tests/rig/engine.sh status   one line; exit code 0 when an engine answers
set -euo pipefail

state=${DEVENV_RIG_STATE:-/var/lib/devenv-rig}
pid_file=$state/dockerd.pid
log_file=$state/dockerd.log
began=$SECONDS

say() { printf '[rig %3ds] %s\n' "$((SECONDS - began))" "$*" >&2; }
answers() { docker info >/dev/null 2>&1; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# Prints the archive's address as this machine's own sources name it (a mirror, a proxy, a snapshot).
debian_uri() {
  local uri=""
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    uri=$(awk '$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list.d/debian.sources)
  fi
  if [ -z "$uri" ] && [ -f /etc/apt/sources.list ]; then
    uri=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }' /etc/apt/sources.list)
  fi
  printf '%s\n' "${uri:-http://deb.debian.org/debian}"
}

install_engine() {
  [ "$(id -u)" = 0 ] || { say "no engine answers, and installing one needs root"; exit 1; }
  # shellcheck source=/dev/null
  if ! (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-0}" -le 13 ]); then
    say "no engine answers; this script installs one on Debian 12 and 13 only: start Docker yourself"
    exit 1
  fi
  say "installing Docker 26, Buildx and Compose from Debian 13"
  cat >/etc/apt/sources.list.d/devenv-rig.sources <<SOURCES
Types: deb
URIs: $(debian_uri)
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  cat >/etc/apt/preferences.d/devenv-rig <<'PIN'
Package: *
Pin: release n=trixie
Pin-Priority: 50
PIN
  apt update >/dev/null
  # A policy that denies service starts: the daemon is started below, with our options, and recorded.
  local policy=/usr/sbin/policy-rc.d made_policy=""
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
  fi
  apt install -y --no-install-recommends \
    docker.io/trixie docker-cli/trixie docker-compose/trixie docker-buildx/trixie containerd/trixie iptables >/dev/null
  [ -z "$made_policy" ] || rm -f "$policy"
  say "installed $(dockerd --version)"
}

forget_dead() {
  if [ -f "$1" ] && [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" != "$2" ]; then rm -f "$1"; fi
}

start() {
  if answers; then
    say "engine $(docker version --format '{{.Server.Version}}') answers"
    return
  fi
  command -v dockerd >/dev/null || install_engine
  [ "$(id -u)" = 0 ] || { say "starting the engine needs root"; exit 1; }
  mkdir -p "$state"
  getent group docker >/dev/null || groupadd --system docker
  cat >"$state/daemon.json" <<'JSON'
{
  "live-restore": true,
  "features": {"cdi": true},
  "log-driver": "json-file"
}
JSON
  say "starting dockerd (log: $log_file)"
  # Daemons that were killed leave these files behind; a new one would refuse to start over them, or wait for whoever
  # has the number by now.
  forget_dead /run/docker.pid dockerd
  forget_dead /run/docker/containerd/containerd.pid containerd
  setsid nohup dockerd --config-file "$state/daemon.json" </dev/null >>"$log_file" 2>&1 &
  printf '%s\n' "$!" >"$pid_file"
  for _ in $(seq 120); do
    if answers; then
      say "engine $(docker version --format '{{.Server.Version}}') answers"
      return
    fi
    kill -0 "$(cat "$pid_file")" 2>/dev/null || break
    sleep 0.5
  done
  say "dockerd did not come up; the last lines of $log_file:"
  tail -n 20 "$log_file" >&2
  rm -f "$pid_file"
  exit 1
}

stop() {
  if [ ! -f "$pid_file" ]; then
    say "no daemon of ours is recorded: nothing to stop"
    return
  fi
  local pid
  pid=$(cat "$pid_file")
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    kill -TERM "$pid"
    for _ in $(seq 60); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.5
    done
    say "stopped dockerd ($pid)"
  fi
  rm -f "$pid_file"
}

case "${1:-start}" in
  start) start ;;
  stop) stop ;;
  status) if answers; then say "engine $(docker version --format '{{.Server.Version}}') answers"; else say "no engine answers"; exit 1; fi ;;
  *) echo "usage: $0 start|stop|status" >&2; exit 2 ;;
esac
