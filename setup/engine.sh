# shellcheck shell=bash disable=SC2154
# A container engine: the one that answers, or one from the distribution's own packages. Sourced by setup.sh.

engine_answers() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

ensure_engine() {
  if engine_answers; then
    say "engine $(docker version --format '{{.Server.Version}}') answers"
  else
    explain_unless_root
    if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
      ask "Install the container engine (docker.io) from the distribution and start it?"
      install_engine
    else
      ask "An engine is installed but does not run. Start it?"
    fi
    keep_containers_over_restarts
    start_engine
    say "engine $(docker version --format '{{.Server.Version}}') answers"
  fi
  say_what_is_missing
}

# For those who cannot install: what is wrong and the command that helps. Returns when we can go on.
explain_unless_root() {
  local socket=/var/run/docker.sock
  if ! is_root; then
    if [ -S "$socket" ] && [ ! -w "$socket" ]; then
      give_up "no permission on the engine's socket ($socket)" \
        "Run: sudo usermod -aG docker $(id -un)   then log in again and run ./setup.sh"
    fi
    if is_debian_like; then
      give_up "no container engine answers, and installing one needs root" "Run: sudo ./setup.sh --yes"
    fi
  fi
  if [ -n "${DOCKER_HOST:-}" ]; then
    give_up "the engine at DOCKER_HOST=$DOCKER_HOST does not answer" "Start it, or unset DOCKER_HOST"
  fi
  is_debian_like || give_up "no container engine answers, and this system is neither Debian nor Ubuntu" \
    "Install Docker (https://docs.docker.com/engine/install/), start it, then run ./setup.sh"
  is_root
}

# has_candidate PACKAGE MINIMUM: the distribution offers it in at least that version.
has_candidate() {
  local version
  version=$(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ { print $2 }')
  [ -n "$version" ] && [ "$version" != "(none)" ] && dpkg --compare-versions "$version" ge "$2"
}

install_engine() {
  local wanted=(docker.io iptables ca-certificates)
  refresh_packages
  if has_candidate docker-cli 1; then wanted+=(docker-cli); fi
  if has_candidate docker-buildx 0; then wanted+=(docker-buildx); fi
  # The old docker-compose 1 is a different program and of no use here.
  if has_candidate docker-compose-v2 2; then
    wanted+=(docker-compose-v2)
  elif has_candidate docker-compose 2; then
    wanted+=(docker-compose)
  fi
  quietly "installing ${wanted[*]}" apt install -y --no-install-recommends "${wanted[@]}"
}

# With live-restore, containers (and trainings in them) outlive a restart of the engine.
keep_containers_over_restarts() {
  local file=/etc/docker/daemon.json
  if [ -e "$file" ]; then
    grep -q '"live-restore"' "$file" || say "note: $file lacks \"live-restore\": true; a restart of the engine will end containers"
  else
    mkdir -p /etc/docker
    printf '{\n  "live-restore": true\n}\n' >"$file"
  fi
}

start_engine() {
  local daemon_log=/var/log/dockerd.log
  if [ -d /run/systemd/system ]; then
    # A daemon that the package started already has not read the file above.
    systemctl enable docker >>"$log" 2>&1 || true
    quietly "starting the engine (systemd)" systemctl restart docker
  elif ! engine_answers; then
    say "starting the engine in the background (no systemd here; log: $daemon_log)"
    setsid nohup dockerd </dev/null >>"$daemon_log" 2>&1 &
  fi
  for _ in $(seq 60); do
    if engine_answers; then return; fi
    sleep 0.5
  done
  tail -n 15 "$daemon_log" >&2 2>/dev/null || true
  give_up "the engine was started and does not answer" "Look at $daemon_log or 'journalctl -u docker'"
}

say_what_is_missing() {
  docker buildx version >/dev/null 2>&1 ||
    say "note: no Buildx here: images are built without structured progress (package docker-buildx or docker-buildx-plugin)"
  docker compose version >/dev/null 2>&1 ||
    say "note: no Compose here: configurations with dockerComposeFile will not work (package docker-compose-v2 or docker-compose-plugin)"
}

let_user_reach_engine() {
  if id -nG "$1" | tr ' ' '\n' | grep -qx docker; then return; fi
  ask "Add $1 to group docker? (its members can become root through the engine)"
  usermod -aG docker "$1"
  say "$1 is in group docker now; other terminals see it after the next log-in"
}
