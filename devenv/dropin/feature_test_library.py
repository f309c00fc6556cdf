"""The shell functions that tests of features call: `check`, `checkMultiple`, `reportResults`.

Any POSIX shell can read them. `check LABEL COMMAND...` runs a command; `checkMultiple LABEL NUMBER EXPRESSION...` runs
each expression, of which that many must succeed; `reportResults` ends the script. A check that failed returns 1, so
that a script with `set -e` ends there.
"""

NAME = "dev-container-features-test-lib"

TEXT = r"""#!/bin/sh
# Functions for tests of dev container features. Read it with: . ./dev-container-features-test-lib

: "${HOME:=/root}"
USERNAME=${1:-root}
failed_checks=

echoStderr() {
    printf '%s\n' "$*" >&2
}

begin_check() {
    printf '\n🔄 Testing %s\n\n' "'$1'"
}

end_check() {
    if [ "$2" -eq 0 ]; then
        printf '\n✅ Passed %s\n' "'$1'"
    else
        printf '\n❌ Failed %s\n' "'$1'" >&2
        failed_checks="$failed_checks
    $1"
    fi
    return "$2"
}

check() {
    label=$1
    shift
    begin_check "$label"
    if "$@"; then
        end_check "$label" 0
    else
        end_check "$label" 1
    fi
}

checkMultiple() {
    label=$1
    wanted=$2
    shift 2
    begin_check "$label"
    passed=0
    for expression in "$@"; do
        # An expression is a command with its words: it is split here.
        if $expression; then
            passed=$((passed + 1))
        fi
    done
    if [ "$passed" -ge "$wanted" ]; then
        end_check "$label" 0
    else
        end_check "$label" 1
    fi
}

reportResults() {
    if [ -n "$failed_checks" ]; then
        echoStderr "
💥 Failed checks:$failed_checks"
        exit 1
    fi
    printf '\nAll checks passed.\n'
    exit 0
}
"""
