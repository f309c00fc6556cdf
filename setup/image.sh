# shellcheck shell=bash disable=SC2154
# The example's base image: local, pulled, or a stand-in from packages. Sourced by setup.sh.

base_reference() { awk -F= '$1 == "ARG BASE" { print $2; exit }' "$example/.devcontainer/Dockerfile"; }

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# Whether a pull has a chance: a mirror is configured, or Docker Hub answers within a few seconds.
registry_answers() {
  [ "$(docker info --format '{{len .RegistryConfig.Mirrors}}' 2>/dev/null || echo 0)" = 0 ] || return 0
  # Any HTTP answer will do (it is 401 without a token).
  timeout 10 "$host_python" - <<'PROBE' 2>/dev/null
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=5)
except urllib.error.HTTPError as error:
    sys.exit(0 if error.code == 401 else 1)
PROBE
}

ensure_base_image() {
  local base
  base=$(base_reference)
  if has_image "$base"; then
    say "base image $base is there"
    return
  fi
  ensure_python
  if [ -z "$stand_in" ] && registry_answers; then
    say "pulling $base (several GB; --stand-in builds a small CPU one instead)"
    if docker pull "$base" >&2; then return; fi
    say "the pull failed: building a stand-in"
  elif [ -z "$stand_in" ]; then
    say "no registry can be reached: building a stand-in for $base from the distribution's packages"
  fi
  build_stand_in "$base"
}

build_stand_in() {
  local base=$1 python=${XDG_CACHE_HOME:-$HOME/.cache}/devenv-setup/venv/bin/python
  is_debian_like || give_up "a stand-in for $base can be built on Debian and Ubuntu only" \
    "Pull $base, or give another image with torch that name: docker tag IMAGE $base"
  is_root || give_up "building a stand-in for $base needs root once" "Run: sudo ./setup.sh --yes"
  if ! command -v mmdebstrap >/dev/null; then
    ask "Install mmdebstrap, which builds a base image from the distribution's packages?"
    refresh_packages
    quietly "installing mmdebstrap" apt install -y --no-install-recommends mmdebstrap
  fi
  [ -x "$python" ] || quietly "preparing a Python with pip for fetching wheels" "$host_python" -m venv "${python%/bin/python}"
  quietly "building the system of the stand-in (about a minute)" "$root/setup/base-image.sh" python devenv/python-base:local
  quietly "putting a CPU torch and the notebook stack into it (one to three minutes)" \
    env DEVENV_SETUP_PYTHON="$python" "$root/setup/base-image.sh" torch devenv/pytorch-standin:cpu devenv/python-base:local
  docker tag devenv/pytorch-standin:cpu "$base"
  say "$base is a CPU stand-in on this machine (docker rmi $base takes the name away again)"
}
