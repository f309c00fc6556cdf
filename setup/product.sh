# shellcheck shell=bash disable=SC2154
# `devenv` itself, and the example that it runs. Sourced by setup.sh.

# Sets host_python to a Python >= 3.11 that can make virtual environments.
ensure_python() {
  local candidate
  [ -z "${host_python:-}" ] || return 0
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if fits "$candidate"; then
      host_python=$(command -v "$candidate")
      return
    fi
  done
  if is_root && is_debian_like; then
    ask "Install python3 and python3-venv from the distribution?"
    refresh_packages
    quietly "installing python3 and python3-venv" apt install -y --no-install-recommends python3 python3-venv
    host_python=/usr/bin/python3
    fits "$host_python" && return
    give_up "the distribution's Python is $("$host_python" -V 2>&1), devenv needs 3.11 or later" "Install a newer Python"
  fi
  give_up "no Python 3.11 or later that can make virtual environments" \
    "Debian, Ubuntu: sudo apt-get install python3 python3-venv; elsewhere: https://www.python.org/downloads/"
}

fits() {
  command -v "$1" >/dev/null &&
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

install_devenv() {
  local home=${XDG_DATA_HOME:-$HOME/.local/share}/devenv links=$HOME/.local/bin sources
  if is_root; then links=/usr/local/bin; fi
  # A virtual environment whose Python is gone (an upgrade of the system) is made anew.
  if ! "$home/venv/bin/python" -c '' 2>/dev/null; then
    quietly "making a virtual environment in $home/venv" "$host_python" -m venv --clear "$home/venv"
  fi
  sources=$(cd "$root" && find pyproject.toml devcontainer devenv tui -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  if [ "$(cat "$home/venv/sources" 2>/dev/null)" != "$sources" ]; then
    quietly "installing devenv" "$home/venv/bin/python" -m pip install --disable-pip-version-check "$root"
    # The background process of an earlier installation gives way; runs go on meanwhile.
    quietly "starting its background process" "$home/venv/bin/devenv" supervisor restart
    printf '%s\n' "$sources" >"$home/venv/sources"
  fi
  mkdir -p "$links"
  ln -sfn "$home/venv/bin/devenv" "$links/devenv"
  devenv=$links/devenv
  say "$("$devenv" version) is $devenv"
  case ":$PATH:" in
    *":$links:"*) ;;
    *) say "note: $links is not on your PATH: export PATH=\"$links:\$PATH\"" ;;
  esac
}

bring_up_example() {
  # In the container the project is written by user dev (uid 1000), whose ids follow yours, but never become root's.
  if is_root && [ "$(stat -c %u "$example")" = 0 ]; then
    say "you are root: $example is given to uid 1000, the container's user"
    chown -R 1000:1000 "$example"
  fi
  say "bringing up $example"
  (cd "$example" && "$devenv" up >&2)
}

# training_state: "running" when the training that an earlier run of this script started is still going.
training_runs() {
  (cd "$example" && "$devenv" runs --json 2>/dev/null) | "$host_python" -c '
import json, sys
runs = json.load(sys.stdin)["runs"]
sys.exit(not any(run["name"] == sys.argv[1] and run["state"] in ("starting", "running") for run in runs))' "$training_name"
}

start_training() {
  if training_runs; then
    say "the training is running already"
    return
  fi
  say "starting the training under the debugger (it does not wait for one)"
  (cd "$example" && "$devenv" debug --detach --no-wait --name "$training_name" train --epochs "$training_epochs" >&2)
}

show_where_things_are() {
  say "everything runs"
  printf '\n' >&2
  (cd "$example" && "$devenv" status && printf '\n' && "$devenv" ports)
  cat <<TEXT

The debugger: press F5 in VS Code (.vscode/launch.json is written), or attach any DAP client to the address above;
a breakpoint in digits/training.py is hit at once. Then, in $example:

    devenv                        the terminal UI
    devenv open jupyter           JupyterLab in the browser, with its token
    devenv open tensorboard       the curves of this training
    devenv attach $training_name  its output
    devenv down                   take it all away
TEXT
}
