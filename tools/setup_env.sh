#!/bin/sh
# Sets up the environment .venv of this checkout: setup_env.sh [EXTRA ...]
#
# EXTRA is one of pyproject.toml's optional dependencies; those that the
# environment has already stay.  PYTHON names the Python to use, else the first
# of python3.13, 3.12, 3.11, 3.14, 3.15 and python3 that will do is taken.  One
# that is newer than those was never tried: a line says so.
#
# .venv/.complete says what the environment was made of; where that is still
# so, nothing is done.  Until it is whole it is marked .venv/.incomplete
# instead, and the next run makes it anew.

set -u
CDPATH='' cd -- "$(dirname -- "$0")/.." || exit 2

constraints=tools/build-constraints.txt
log=.venv-log
complete=.venv/.complete
incomplete=.venv/.incomplete

# What pip says of an index that it can not reach, or that lacks something.
unreachable='Retrying|Connection|timed out|ProxyError'
unreachable="$unreachable|No matching distribution|ResolutionImpossible"

fail() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 2
}

# Sets version to 3.x.y and minor to 3.x; false where $1 does not run.
ask_version() {
    version=$("$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' \
        2>/dev/null </dev/null) || return 1
    minor=${version%.*}
}

supported() {
    case $minor in 3.[0-9] | 3.10) return 1 ;; 3.*) ;; *) return 1 ;; esac
}

warn_if_untried() {
    [ "${minor#3.}" -le 15 ] || printf '%s\n' "setup: warning: Python $version \
is newer than those that this was tried with, 3.11 to 3.15" >&2
}

# Debian splits ensurepip off; uv makes an environment without it.
makes_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 </dev/null ||
        command -v uv >/dev/null 2>&1
}

no_venv() {
    fail "$1 ($2) lacks venv or ensurepip: sudo apt install" \
        "python${2%.*}-venv, or install uv"
}

# Sets python, version and minor.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$PYTHON
        ask_version "$python" || fail "PYTHON=$python does not run"
        supported || fail "PYTHON=$python is Python $version;" \
            '3.11 or newer is needed'
        makes_venv "$python" || no_venv "$python" "$version"
        warn_if_untried
        return
    fi
    found='' lacking=''
    for python in python3.13 python3.12 python3.11 python3.14 python3.15 \
        python3
    do
        ask_version "$python" || continue
        if ! supported; then
            found="$found; $python is $version"
        elif makes_venv "$python"; then
            warn_if_untried
            return
        else
            lacking=${lacking:-"$python $version"}
        fi
    done
    # shellcheck disable=SC2086
    [ -z "$lacking" ] || no_venv $lacking
    fail "Python 3.11 or newer is needed$found;" \
        'install one, or name one: make PYTHON=/path/to/python3.12'
}

# What the environment is made of.
describe() {
    printf 'extras: %s\npython: %s\nfolder: %s\n' \
        "$extras" "$minor" "$(pwd -P)"
    cksum pyproject.toml "$constraints" setup.py quantized_net/kernels/*.c
}

recorded() {
    sed -n "s/^$1: //p" "$complete" 2>/dev/null
}

claim() {
    echo "process: $$" >"$incomplete" || fail 'can not write to .venv'
}

# Marks the environment as ours and half-made, then empties it.
start_anew() {
    if [ -e "$complete" ]; then
        mv "$complete" "$incomplete"
    elif [ ! -e "$incomplete" ] && [ -e .venv ]; then
        rmdir .venv 2>/dev/null || fail '.venv was not made by make: remove' \
            'or rename it, or run the scripts with .venv/bin/python yourself'
    fi
    mkdir -p .venv
    claim
    find .venv -mindepth 1 -maxdepth 1 ! -name .incomplete \
        -exec rm -rf {} + || fail 'can not empty .venv'
    if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$python" -m venv .venv
    else
        uv venv --quiet --seed --allow-existing --python "$python" .venv
    fi >>"$log" 2>&1 </dev/null ||
        fail "$python could not make .venv; the log is in $log"
}

install() {
    what=.
    [ -z "$extras" ] || what=".[$(echo "$extras" | tr ' ' ',')]"
    PIP_CONSTRAINT="${PIP_CONSTRAINT:-} $constraints" \
    PIP_BUILD_CONSTRAINT="${PIP_BUILD_CONSTRAINT:-} $constraints" \
        .venv/bin/python -I -m pip install --no-input \
        -e "$what" >>"$log" 2>&1 </dev/null
}

finish() {
    grep -qx "process: $$" "$incomplete" 2>/dev/null ||
        fail 'another set-up took .venv over; run make again'
    printf '%s\n' "$1" >"$incomplete" || fail 'can not write to .venv'
    mv "$incomplete" "$complete"
}

known=$(sed -n '/^\[project.optional-dependencies\]/,/^$/s/ = \[.*//p' \
    pyproject.toml | sort | tr '\n' ' ')
for extra; do
    case " $known" in
        *" $extra "*) ;;
        *) fail "there is no extra '$extra', only: ${known% }" ;;
    esac
done
# shellcheck disable=SC2046
extras=$(printf '%s\n' $(recorded extras) "$@" | sed '/^$/d' | sort -u |
    tr '\n' ' ' | sed 's/ $//')
case " $extras " in
    *' cuda12 cuda13 '*)
        fail 'cuda12 and cuda13 exclude each other; run make clean first' ;;
esac

other=$(sed -n 's/^process: //p' "$incomplete" 2>/dev/null)
if [ -n "$other" ] && kill -0 "$other" 2>/dev/null; then
    fail "another set-up (process $other) is at work in .venv; wait for it," \
        'or remove .venv'
fi

minor=$(recorded python)
if [ -n "${PYTHON:-}" ] || [ -z "$minor" ] || [ ! -x .venv/bin/python ]; then
    choose_python
fi
made=$(cat "$complete" 2>/dev/null)
[ "$made" = "$(describe)" ] && [ -x .venv/bin/python ] && exit

: >"$log" || fail "can not write $log"
if [ -x .venv/bin/python ] && [ "$minor" = "$(recorded python)" ] &&
    [ "$(pwd -P)" = "$(recorded folder)" ]
then
    echo "setup: updating .venv; the log is in $log"
    mv "$complete" "$incomplete"
    claim
else
    [ -n "${python:-}" ] || choose_python
    echo "setup: making .venv with $python ($version), a minute or two;" \
        "the log is in $log"
    made=''
    start_anew
fi

if ! install; then
    if grep -qE "$unreachable" "$log"; then
        [ -z "$made" ] || finish "$made"  # pip fetches first: all as before
        needed=$(sed -n 's/.*No matching distribution found for //p' "$log" |
            tail -n 1)
        fail "pip can not reach an index that has ${needed:-what is needed}:" \
            "check the network or set PIP_INDEX_URL; the log is in $log"
    fi
    why=$(grep -iE '^ *error:' "$log" | head -n 1 | cut -c 1-200)
    fail "pip failed (${why:-no word why}); the log is in $log"
fi
finish "$(describe)"
