#!/usr/bin/env bash
# From a clean clone to a training under the debugger: engine, image, `devenv`, the example, everything running.
# Safe to repeat: what is there already is kept. `./setup.sh --help` lists the options.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./setup.sh [--yes] [--stand-in]

Makes sure that a container engine runs, gets the example's base image, installs `devenv`, brings up
examples/digits-pytorch and starts its training under the debugger.

  --yes        consent to installing distribution packages and starting the engine (asked for otherwise)
  --stand-in   build the CPU stand-in for the base image even where the real one (several GB) can be pulled
  --help       this text

Run it as root or through sudo where no engine is installed yet; otherwise as the user who will work.
TEXT
}

consent="" stand_in="" product_only=""
for word in "$@"; do
  case "$word" in
    --yes | -y) consent=yes ;;
    --stand-in) stand_in=yes ;;
    --product-only) product_only=yes ;; # the second half, for the person behind sudo
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
example=$root/examples/digits-pytorch
log=${XDG_CACHE_HOME:-$HOME/.cache}/devenv-setup/setup.log
training_name=setup-training
# Long enough to look around: about ten minutes on two cores. `devenv kill` ends it.
training_epochs=3000
began=${DEVENV_SETUP_BEGAN:-$(date +%s)}
export DEVENV_SETUP_BEGAN=$began
mkdir -p "$(dirname "$log")"

# shellcheck source=setup/steps.sh
. "$root/setup/steps.sh"
# shellcheck source=setup/engine.sh
. "$root/setup/engine.sh"
# shellcheck source=setup/image.sh
. "$root/setup/image.sh"
# shellcheck source=setup/product.sh
. "$root/setup/product.sh"

if [ -z "$product_only" ]; then
  ensure_engine
  ensure_base_image
fi

# Behind sudo there is a person, who will work as himself: the rest is done as that user, in group docker.
if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] && [ -z "$product_only" ]; then
  ensure_python
  let_user_reach_engine "$SUDO_USER"
  exec runuser -u "$SUDO_USER" -- env HOME="$(getent passwd "$SUDO_USER" | cut -d: -f6)" \
    DEVENV_SETUP_BEGAN="$began" "$root/setup.sh" --product-only
fi

ensure_python
install_devenv
bring_up_example
start_training
show_where_things_are
