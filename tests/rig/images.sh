#!/usr/bin/env bash
# Images for the tests, made on this machine: no registry is asked. Built once; current ones are kept.
#
#   tests/rig/images.sh [GROUP...]     base, torch, old, editors (no argument: these), remote (made when a test asks)
#
# | image                          | what it is                                                           |
# |--------------------------------|----------------------------------------------------------------------|
# | devenv-rig/python:3.11         | Debian 12, Python 3.11, root; also python:3.11 and python:3.11-slim   |
# | devenv-rig/python-user         | the same with user dev (uid 1000) as USER, ENV in the image           |
# | devenv-rig/nopython            | Debian minbase: bash, no Python                                       |
# | devenv-rig/busybox             | static busybox only: /bin/sh, no bash, no Python                      |
# | devenv-rig/pytorch:cpu         | CPU torch and the notebook stack in /opt/venv; also the tag of the     |
# |                                | example's Dockerfile                                                  |
# | devenv-rig/python:3.9          | Debian 11 (group old)                                                 |
# | devenv-rig/python:3.14         | Debian's unstable suite (old)                                         |
# | devenv-rig/python:3.6, 3.13    | Debian 12 with pyenv's 3.6 and 3.13, where this machine has them (old) |
# | devenv-rig/editors             | Debian 13: Neovim, Emacs with dape, Helix; a machine's own are too old |
# | devenv-rig/remote:20, :26      | another machine: sshd and Debian 12's or 13's Docker engine (remote)  |
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
base_image=$root/setup/base-image.sh
# Tests need the same system everywhere, whatever suite the machine has.
suite=bookworm
began=$SECONDS

say() { printf '[rig %3ds] %s\n' "$((SECONDS - began))" "$*" >&2; }
id_of() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
label_of() { docker image inspect --format '{{index .Config.Labels "devenv.image-key"}}' "$1" 2>/dev/null || true; }

# Builds REF from a Dockerfile on stdin with local images only; kept when text and base are unchanged.
from_dockerfile() {
  local ref=$1 base=$2 text key folder
  text=$(cat)
  key=$(printf '%s\n%s' "$text" "$(id_of "$base")" | sha256sum | cut -c1-16)
  if [ "$(label_of "$ref")" = "$key" ]; then
    say "$ref is there"
    return
  fi
  folder=$(mktemp -d)
  printf '%s\n' "$text" >"$folder/Dockerfile"
  docker build --quiet --network none --build-arg "BASE=$base" --label "devenv.image-key=$key" --tag "$ref" "$folder" >/dev/null
  rm -rf "$folder"
  say "built $ref"
}

busybox() {
  local ref=devenv-rig/busybox:latest key=busybox-2 folder
  if [ "$(label_of "$ref")" = "$key" ]; then
    say "$ref is there"
    return
  fi
  folder=$(mktemp -d)
  chmod 755 "$folder"
  (
    cd "$folder"
    apt-get -qq download busybox-static 2>/dev/null || { apt-get -qq update && apt-get -qq download busybox-static; }
    dpkg-deb -x busybox-static_*.deb unpacked
    mkdir -p fs/bin fs/etc fs/root fs/proc fs/sys fs/dev
    mkdir -m 1777 fs/tmp
    cp "$(find unpacked -type f -path '*bin/busybox' | head -n 1)" fs/bin/busybox
    applets=$(fs/bin/busybox --list)
    for applet in $applets; do [ "$applet" = busybox ] || ln -s busybox "fs/bin/$applet"; done
    printf 'root:x:0:0:root:/root:/bin/sh\n' >fs/etc/passwd
    printf 'root:x:0:\n' >fs/etc/group
    tar -C fs --owner 0 --group 0 -cf fs.tar .
    docker import --change 'CMD ["/bin/sh"]' --change 'ENV PATH=/bin' --change "LABEL devenv.image-key=$key" fs.tar "$ref" >/dev/null
  )
  rm -rf "$folder"
  say "built $ref"
}

# The archive's signing keys and sources of this machine serve Debian; another distribution needs its own sources file.
sources_for() {
  local uri
  uri=$(awk '$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "${uri:-http://deb.debian.org/debian}" "$1"
}

build_base() {
  local sources
  if [ -f /etc/apt/sources.list.d/debian.sources ] && grep -q "Suites:.*$suite" /etc/apt/sources.list.d/debian.sources; then
    sources=/etc/apt/sources.list.d/debian.sources
  else
    sources=$(mktemp --suffix=.sources)
    sources_for "$suite" >"$sources"
  fi
  export DEVENV_SETUP_SUITE=$suite DEVENV_SETUP_SOURCES=$sources
  "$base_image" python devenv-rig/python:3.11
  docker tag devenv-rig/python:3.11 python:3.11
  docker tag devenv-rig/python:3.11 python:3.11-slim
  "$base_image" distro devenv-rig/nopython:latest
  busybox
  from_dockerfile devenv-rig/python-user:latest devenv-rig/python:3.11 <<'DOCKERFILE'
ARG BASE
FROM ${BASE}
RUN useradd --create-home --uid 1000 --shell /bin/bash dev
ENV RIG_IMAGE_VARIABLE="from the image" PYTHONDONTWRITEBYTECODE=1
USER dev
DOCKERFILE
}

# The tag that the example's Dockerfile starts from: one place says it.
example_base() { awk -F= '$1 == "ARG BASE" { print $2; exit }' "$root/examples/digits-pytorch/.devcontainer/Dockerfile"; }

build_torch() {
  local name
  "$base_image" torch devenv-rig/pytorch:cpu devenv-rig/python:3.11
  name=$(example_base)
  if [ -n "$name" ] && [ -z "$(id_of "$name")" ]; then
    docker tag devenv-rig/pytorch:cpu "$name"
    say "$name stands for devenv-rig/pytorch:cpu on this machine"
  fi
}

build_old() {
  local sources
  sources=$(mktemp --suffix=.sources)
  sources_for bullseye >"$sources"
  DEVENV_SETUP_SUITE=bullseye DEVENV_SETUP_SOURCES=$sources "$base_image" distro devenv-rig/python:3.9 python3 procps
  # Debian's unstable suite, whose file of contents may be past its date.
  { sources_for sid && printf 'Check-Valid-Until: no\n'; } >"$sources"
  DEVENV_SETUP_SUITE=sid DEVENV_SETUP_SOURCES=$sources "$base_image" distro devenv-rig/python:3.14 python3 procps
  rm -f "$sources"
  build_from_pyenv 3.6
  build_from_pyenv 3.13
}

build_editors() {
  local sources
  sources=$(mktemp --suffix=.sources)
  sources_for trixie >"$sources"
  DEVENV_SETUP_SUITE=trixie DEVENV_SETUP_SOURCES=$sources "$base_image" distro devenv-rig/editors:latest \
    neovim emacs-nox elpa-dape hx
  rm -f "$sources"
}

build_remote() {
  local sources
  sources=$(mktemp --suffix=.sources)
  sources_for bookworm >"$sources"
  build_box 20 bookworm "$sources" docker.io
  sources_for trixie >"$sources"
  build_box 26 trixie "$sources" docker.io docker-cli
  rm -f "$sources"
}

# build_box MAJOR SUITE SOURCES PACKAGE...
build_box() {
  local ref=devenv-rig/remote:$1 system=devenv-rig/remote-system:$1 suite=$2 sources=$3 folder key
  shift 3
  DEVENV_SETUP_SUITE=$suite DEVENV_SETUP_SOURCES=$sources "$base_image" distro "$system" \
    openssh-server iptables iproute2 procps ca-certificates "$@"
  key=$(cat "$here/remote/box.sh" - <<<"$(id_of "$system")" | sha256sum | cut -c1-16)
  if [ "$(label_of "$ref")" = "$key" ]; then
    say "$ref is there"
    return
  fi
  folder=$(mktemp -d)
  cp "$here/remote/box.sh" "$folder/"
  printf '%s\n' "FROM $system" 'COPY box.sh /usr/local/sbin/box' \
    'RUN useradd --create-home --uid 1000 --shell /bin/bash --groups docker dev && rm -f /etc/ssh/ssh_host_*' \
    'RUN useradd --create-home --uid 1001 --shell /bin/bash outsider' \
    'VOLUME /var/lib/docker' 'CMD ["/usr/local/sbin/box"]' "LABEL devenv.image-key=$key" >"$folder/Dockerfile"
  docker build --quiet --network none --tag "$ref" "$folder" >/dev/null
  rm -rf "$folder"
  say "built $ref"
}

# build_from_pyenv VERSION: an interpreter that no supported distribution has any more.
build_from_pyenv() {
  local ref=devenv-rig/python:$1 found folder
  found=$(find "$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")/versions" -maxdepth 1 -name "$1.*" 2>/dev/null | head -n 1 || true)
  if [ -z "$found" ]; then
    say "$ref: this machine's pyenv has no Python $1 (pyenv install $1)"
    return
  fi
  if [ "$(label_of "$ref")" = "$found" ]; then
    say "$ref is there"
    return
  fi
  folder=$(mktemp -d)
  tar -C "$found" --exclude=__pycache__ --exclude=test --owner 0 --group 0 -cf "$folder/python.tar" .
  printf '%s\n' 'FROM devenv-rig/nopython' 'ADD python.tar /opt/python/' \
    'RUN echo /opt/python/lib >/etc/ld.so.conf.d/python.conf && ldconfig && ln -s /opt/python/bin/python3 /usr/local/bin/' \
    'RUN python3 -c "import json, socket, zlib, select"' \
    "LABEL devenv.image-key=$found" >"$folder/Dockerfile"
  docker build --quiet --network none --tag "$ref" "$folder" >/dev/null
  rm -rf "$folder"
  say "built $ref ($(docker run --rm --network none "$ref" python3 -V))"
}

[ "$#" -gt 0 ] || set -- base torch old editors
for group in "$@"; do
  case "$group" in
    base) build_base ;;
    torch) build_torch ;;
    old) build_old ;;
    editors) build_editors ;;
    remote) build_remote ;;
    *) echo "usage: $0 [base|torch|old|editors|remote]..." >&2; exit 2 ;;
  esac
done
