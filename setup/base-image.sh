#!/usr/bin/env bash
# Base images without a registry, from the distribution's packages and from PyPI wheels.
#
# Shared by `setup.sh` (where no registry can be reached) and by the tests' image rig. Each image carries
# the label `devenv.image-key`, a hash of what it was made from: an image whose key is current is kept, so
# every command here is safe to repeat. Nothing here tags an image under somebody else's name: callers decide.
#
#   setup/base-image.sh distro REF [PACKAGE...]   minimal system of this machine's own suite plus PACKAGEs
#   setup/base-image.sh python REF                the same with Python, venv, pip, git, procps, CA certificates
#   setup/base-image.sh torch REF BASE            venv in /opt/venv on top of BASE: CPU torch and the notebook stack
#
# DEVENV_SETUP_PYTHON names the Python whose pip fetches the wheels (default: python3). The wheels are fetched
# on the host, so that its own pip configuration (indexes, find-links, proxies, certificates) holds as it is;
# the container that installs them has no network.
set -euo pipefail

host_python=${DEVENV_SETUP_PYTHON:-python3}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/devenv-setup
torch_version=2.13.0
torch_index=https://download.pytorch.org/whl/cpu
torch_stack=("torch==${torch_version}+cpu" numpy scikit-learn tensorboard jupyterlab ipykernel matplotlib pytest)
python_packages=(python3 python3-venv python3-pip ca-certificates git procps)
began=$SECONDS
scratch=""
container=""

say() { printf '[image %3ds] %s\n' "$((SECONDS - began))" "$*" >&2; }
die() { say "$1"; exit 1; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

clean_up() {
  [ -z "$container" ] || docker rm -f "$container" >/dev/null 2>&1 || true
  [ -z "$scratch" ] || rm -rf "$scratch"
}
trap clean_up EXIT

key_of() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# is_current REF KEY: the image exists and was made from the same things.
is_current() {
  [ "$(docker image inspect --format '{{index .Config.Labels "devenv.image-key"}}' "$1" 2>/dev/null)" = "$2" ]
}

# The archive's sources file of this machine (a mirror, a snapshot): the image comes from the same place.
own_sources() {
  local file
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources /etc/apt/sources.list; do
    if [ -s "$file" ]; then
      printf '%s\n' "$file"
      return
    fi
  done
  return 1
}

own_suite() { (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:?}"); }

need_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  [ "$(id -u)" = 0 ] || die "mmdebstrap is missing: run 'apt-get install mmdebstrap' as root"
  say "installing mmdebstrap"
  apt update >/dev/null
  apt install -y --no-install-recommends mmdebstrap >/dev/null
}

# distro REF PACKAGE...
distro() {
  local ref=$1 suite sources key include
  shift
  [ -r /etc/debian_version ] || die "building a base image from packages needs Debian or Ubuntu"
  suite=${DEVENV_SETUP_SUITE:-$(own_suite)}
  sources=${DEVENV_SETUP_SOURCES:-$(own_sources)}
  key=$(key_of distro-1 "$suite" "$@")
  if is_current "$ref" "$key"; then
    say "$ref is there"
    return
  fi
  need_mmdebstrap
  [ "$(id -u)" = 0 ] || die "building a base image from packages needs root"
  say "building $ref from $suite packages${*:+: $*}"
  scratch=$(mktemp -d)
  include=$(IFS=,; printf '%s' "$*")
  mmdebstrap --quiet --variant=minbase ${include:+--include="$include"} \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    "$suite" "$scratch/base.tar" "$sources"
  docker import --change 'CMD ["/bin/bash"]' --change 'ENV LANG=C.UTF-8' --change "LABEL devenv.image-key=$key" \
    "$scratch/base.tar" "$ref" >/dev/null
  rm -rf "$scratch"
  scratch=""
  say "built $ref ($(docker image inspect --format '{{.Size}}' "$ref" | awk '{ printf "%d MB", $1 / 1e6 }'))"
}

# Wheels for Python VERSION, fetched by the host's pip into FOLDER.
fetch_wheels() {
  local folder=$1 version=$2
  local fetch=("$host_python" -m pip download --quiet --dest "$folder" --only-binary=:all: --python-version "$version")
  mkdir -p "$folder"
  "$host_python" -m pip --version >/dev/null 2>&1 || die "$host_python has no pip (Debian: apt-get install python3-pip)"
  # A CPU wheel that the host's own configuration offers comes first: the public index is large and may be barred.
  if ! "${fetch[@]}" "${torch_stack[@]}" 2>"$folder/pip.log"; then
    say "this machine's pip has no CPU build of torch $torch_version: asking $torch_index"
    "${fetch[@]}" --extra-index-url "$torch_index" "${torch_stack[@]}" || die "pip could not fetch the wheels (see above)"
  fi
}

# torch REF BASE
torch() {
  local ref=$1 base=$2 key version wheels
  key=$(key_of torch-1 "$(docker image inspect --format '{{.Id}}' "$base")" "${torch_stack[@]}")
  if is_current "$ref" "$key"; then
    say "$ref is there"
    return
  fi
  version=$(docker run --rm --network none "$base" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  wheels=$cache/wheels-$version
  say "fetching wheels for Python $version: ${torch_stack[*]}"
  fetch_wheels "$wheels" "$version"
  say "installing $(find "$wheels" -name '*.whl' | wc -l) wheels into /opt/venv of $ref"
  container=$(docker create --network none -v "$wheels:/mnt:ro" "$base" sh -c "
    python3 -m venv /opt/venv &&
    /opt/venv/bin/pip install --quiet --no-cache-dir --no-index --find-links /mnt ${torch_stack[*]}")
  docker start --attach "$container" >&2
  docker commit --change 'ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["/bin/bash"]' --change "LABEL devenv.image-key=$key" \
    "$container" "$ref" >/dev/null
  docker rm "$container" >/dev/null
  container=""
  say "built $ref ($(docker image inspect --format '{{.Size}}' "$ref" | awk '{ printf "%.1f GB", $1 / 1e9 }'))"
}

case "${1:-}" in
  distro) shift; distro "$@" ;;
  python) distro "$2" "${python_packages[@]}" ;;
  torch) torch "$2" "$3" ;;
  *) echo "usage: $0 distro REF [PACKAGE...] | python REF | torch REF BASE" >&2; exit 2 ;;
esac
