#!/usr/bin/env bash
# A Podman service for the tests: its own storage, networks, configuration and socket, so that neither another Podman
# of this machine nor its firewall is touched (it has mount and network namespaces of its own, as its containers do).
#
# Installs Debian's Podman where there is none. What it started is recorded, so `podman.sh stop` ends that and nothing
# else. Images are copied from the Docker engine (`engine.sh`, `images.sh`) and kept.
#
#   tests/rig/podman.sh install  make sure that the programs are there; starts nothing
#   tests/rig/podman.sh start    make sure that the service answers and has the images (safe to repeat)
#   tests/rig/podman.sh stop     remove its containers and end it; images stay for the next start
#   tests/rig/podman.sh status   one line; exit code 0 when the service answers
set -euo pipefail

state=${DEVENV_RIG_STATE:-/var/lib/devenv-rig}
folder=$state/podman
socket=$folder/podman.sock
pid_file=$folder/podman.pid
log_file=$folder/podman.log
images=(devenv-rig/python:3.11 devenv-rig/python-user:latest devenv-rig/busybox:latest)
began=$SECONDS

say() { printf '[rig %3ds] %s\n' "$((SECONDS - began))" "$*" >&2; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }
there() { docker --host "unix://$socket" "$@"; }
answers() { [ -S "$socket" ] && there version >/dev/null 2>&1; }
# The service's name is in its arguments: a number alone may be somebody else's by now.
ours() { [ -f "$pid_file" ] && tr '\0' ' ' <"/proc/$(cat "$pid_file")/cmdline" 2>/dev/null | grep -q "unix://$socket"; }

install() {
  local missing=()
  command -v podman >/dev/null || missing+=(podman)
  command -v catatonit >/dev/null || missing+=(catatonit) # for --init
  [ -x /usr/lib/podman/netavark ] || missing+=(netavark aardvark-dns)
  command -v newuidmap >/dev/null || missing+=(uidmap) # these two without root
  command -v slirp4netns >/dev/null || missing+=(slirp4netns)
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || { say "missing: ${missing[*]}; installing them needs root"; exit 1; }
  say "installing ${missing[*]}"
  apt update >/dev/null
  apt install -y --no-install-recommends "${missing[@]}" >/dev/null
}

configure() {
  mkdir -p "$folder/root" "$folder/networks"
  # A machine without CAP_SYS_RESOURCE (a hosted one) cannot give what Podman gives by default. crun refuses the mixed
  # cgroups of such machines; runc is there because Docker is.
  cat >"$folder/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "$folder/networks"
CONF
}

driver() { if [ "$(stat -f -c %T "$folder")" = overlayfs ]; then echo vfs; else echo overlay; fi; }

start_service() {
  [ "$(id -u)" = 0 ] || { say "starting Podman's service needs root"; exit 1; }
  install
  configure
  say "starting podman system service (log: $log_file)"
  rm -f "$socket"
  # What lies below /run must go with the service, as at a reboot: fresh file systems that only it and its containers see.
  # shellcheck disable=SC2016 # the inner shell's variables
  CONTAINERS_CONF=$folder/containers.conf setsid nohup unshare --net --mount --propagation slave sh -ec '
    for place in /run/libpod /run/containers /run/netns; do
      mkdir -p "$place"
      mount -t tmpfs -o mode=755 tmpfs "$place"
    done
    ip link set lo up
    exec "$@"' sh \
    podman --root "$folder/root" --runroot /run/containers/storage --storage-driver "$(driver)" \
    system service --time=0 "unix://$socket" </dev/null >>"$log_file" 2>&1 &
  printf '%s\n' "$!" >"$pid_file"
  for _ in $(seq 120); do
    if answers; then
      # As Docker's socket: for the users that tests make.
      chgrp docker "$socket"
      chmod 660 "$socket"
      return
    fi
    kill -0 "$(cat "$pid_file")" 2>/dev/null || break
    sleep 0.25
  done
  say "Podman did not come up; the last lines of $log_file:"
  tail -n 20 "$log_file" >&2
  rm -f "$pid_file"
  exit 1
}

load_images() {
  local name
  for name in "${images[@]}"; do
    if [ "$(id_of docker "$name")" = "$(id_of there "$name")" ]; then continue; fi
    # One at a time: of several, it takes none for Docker Hub's, where such names are looked for.
    docker save "$name" | there load --quiet >/dev/null
    say "loaded $name"
  done
}
id_of() { "$1" image inspect --format '{{.Id}}' "$2" 2>/dev/null || true; }

start() {
  if ! answers; then start_service; fi
  load_images
  say "Podman $(there version --format '{{.Server.Version}}') answers at $socket"
}

stop() {
  if ! ours; then
    say "no service of ours is recorded: nothing to stop"
    rm -f "$pid_file"
    return
  fi
  local pid names
  pid=$(cat "$pid_file")
  names=$(there ps --all --quiet)
  # shellcheck disable=SC2086 # several ids
  [ -z "$names" ] || there rm --force --volumes $names >/dev/null
  kill -TERM "$pid"
  for _ in $(seq 60); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
  done
  rm -f "$pid_file" "$socket"
  say "stopped Podman's service ($pid)"
}

case "${1:-start}" in
  install) install ;;
  start) start ;;
  stop) stop ;;
  status) if answers; then say "Podman $(there version --format '{{.Server.Version}}') answers"; else say "no Podman service answers"; exit 1; fi ;;
  *) echo "usage: $0 install|start|stop|status" >&2; exit 2 ;;
esac
