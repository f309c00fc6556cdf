#!/usr/bin/env bash
# Real clients for the end-to-end tests: Chromium, tmux, ssh, the reference dev container CLI, Microsoft's debug
# adapter client, and a registry. Installs what is missing and nothing else; safe to repeat.
set -euo pipefail

state=${DEVENV_RIG_STATE:-/var/lib/devenv-rig}
npm_packages=(@devcontainers/cli@0.89.0 @vscode/debugadapter-testsupport@1.68.0)
began=$SECONDS

say() { printf '[rig %3ds] %s\n' "$((SECONDS - began))" "$*" >&2; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

# program -> Debian package
missing=()
want() { command -v "$1" >/dev/null || missing+=("$2"); }
want chromium chromium
want tmux tmux
want ssh openssh-client
want git git
want setsid util-linux
want node nodejs
want npm npm
want docker-registry docker-registry
want openssl openssl
want busybox busybox # its nc and socat stand in for an agent where there is no Python
want socat socat

if [ "${#missing[@]}" -gt 0 ]; then
  [ "$(id -u)" = 0 ] || { say "missing: ${missing[*]}; installing them needs root"; exit 1; }
  say "installing ${missing[*]}"
  apt update >/dev/null
  apt install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

stamp=$state/node/installed
if [ "$(cat "$stamp" 2>/dev/null)" != "${npm_packages[*]}" ]; then
  say "installing ${npm_packages[*]}"
  mkdir -p "$state/node"
  (cd "$state/node" && npm install --no-audit --no-fund --loglevel=error --prefix . "${npm_packages[@]}" >/dev/null)
  printf '%s\n' "${npm_packages[*]}" >"$stamp"
fi
say "clients are there: $(chromium --version 2>/dev/null | head -n 1), $(tmux -V), devcontainer $("$state/node/node_modules/.bin/devcontainer" --version)"
