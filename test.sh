#!/usr/bin/env bash
# Format, lint, types and every test (the import rules are one of them), on a real engine with real clients. What CI runs.
#
#   ./test.sh                     everything (benchmarks apart)
#   ./test.sh --quick             without the rig: checks, unit and contract tests
#   ./test.sh --benchmarks        the benchmarks, one at a time, each beside its peer
#   ./test.sh -- tests/e2e -k up  the rig, then pytest with these words
#
# The first run builds the rig (engine, images, clients: about five minutes); later ones find it there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
python=$root/.venv/bin/python
began=$SECONDS
say() { printf '[test %4d s] %s\n' "$((SECONDS - began))" "$*" >&2; }
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

mode=all
words=()
case "${1:-}" in
  "") ;;
  --quick) mode=quick ;;
  --benchmarks) mode=benchmarks ;;
  --) mode=words; shift; words=("$@") ;;
  --help | -h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "unknown option $1; see ./test.sh --help" >&2; exit 2 ;;
esac

prepare_python() {
  local host=python3 stamp
  stamp=$(sha256sum pyproject.toml | cut -c1-16)
  [ "$(cat .venv/prepared 2>/dev/null)" != "$stamp" ] || return 0
  if ! "$host" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    [ "$(id -u)" = 0 ] || { say "Python 3.11 with venv is missing (Debian: apt-get install python3-venv)"; exit 1; }
    say "installing python3-venv"
    apt update >/dev/null
    apt install -y --no-install-recommends python3 python3-venv >/dev/null
    host=/usr/bin/python3
  fi
  say "preparing .venv"
  [ -x "$python" ] || "$host" -m venv .venv
  "$python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
  printf '%s\n' "$stamp" >.venv/prepared
}

failed=()
check() {
  local what=$1
  shift
  say "$what"
  "$@" || failed+=("$what")
}

prepare_rig() {
  tests/rig/engine.sh start
  DEVENV_SETUP_PYTHON=$python tests/rig/images.sh
  tests/rig/clients.sh
  tests/rig/podman.sh install # the tests that need its service start it
}

prepare_python

if [ "$mode" = all ] || [ "$mode" = quick ]; then
  rig_pid=""
  rig_log=$(mktemp)
  if [ "$mode" = all ]; then
    say "building what the rig lacks, meanwhile checking the sources"
    prepare_rig >"$rig_log" 2>&1 &
    rig_pid=$!
  fi
  check "format" "$python" -m ruff format --check .
  check "lint" "$python" -m ruff check .
  check "types" "$python" -m mypy
  check "types of the test kit" "$python" -m mypy --explicit-package-bases tests/kit tests/conftest.py tests/unit/sync/simulator
  rig_rc=0
  [ -z "$rig_pid" ] || wait "$rig_pid" || rig_rc=$?
  cat "$rig_log" >&2
  rm -f "$rig_log"
  [ "$rig_rc" = 0 ] || { say "the rig could not be built (see above)"; exit 1; }
else
  prepare_rig
fi

export CI=${CI:-true} # a missing part of the rig is an error from here on, not a skip
rc=0
[ "${#failed[@]}" -eq 0 ] || say "FAILED so far: $(IFS=,; printf '%s' "${failed[*]}"); the tests run all the same"
case "$mode" in
  # Images that few tests need are made beside the first ones; a test that comes before they are done waits for them.
  # A file's tests stay together: what they share (users, images, environments) is made once per worker.
  # A failure on a busy machine gets two more tries and is named in the summary (RERUN); three times is a failure.
  all)
    state=$("$python" -c 'from tests.kit import rig; print(rig.state())')
    DEVENV_SETUP_PYTHON=$python flock "$state/remote-images.lock" tests/rig/images.sh remote >"$state/remote-images.log" 2>&1 &
    "$python" -m pytest -n 3 --dist loadfile --no-loadscope-reorder --reruns 2 -r aR \
      tests/e2e tests/integration tests/contract tests/unit || rc=$?
    ;;
  quick) DEVENV_SCHEDULES=${DEVENV_SCHEDULES:-10000} "$python" -m pytest -n 2 --dist loadfile tests/unit tests/contract || rc=$? ;;
  benchmarks) "$python" -m tests.benchmarks || rc=$? ;;
  words) "$python" -m pytest "${words[@]}" || rc=$? ;;
esac
# Pytest's closing line stays the last one.
[ "${#failed[@]}" -eq 0 ] || rc=1
exit "$rc"
