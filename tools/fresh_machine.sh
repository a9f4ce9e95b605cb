#!/bin/sh
# Runs the README's two commands, make and make test, on a bare Debian:
#
#     sudo tools/fresh_machine.sh SUITE PYTHON [FOLDER]
#     sudo ARGS='-x -q tests/links_tests' tools/fresh_machine.sh trixie 3.13
#
# debootstrap builds SUITE (bookworm, trixie, forky) in FOLDER, or uses what is
# there already; without FOLDER in a temporary one, which it removes.  There
# the packages of Python PYTHON (3.13 say), its venv and make are installed,
# and those of $PACKAGES ('gcc python3.13-dev' for the compiled kernels).  A
# user of its own gets a clone of this checkout's last commit.  $ARGS is that
# of make test.  The host's way to its mirrors (sources, settings, proxies and
# certificates of apt and pip) goes in with it, nothing else of the host does.
# The exit status is 1 where a command fails; the end of its log says why.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

fail() {
    printf 'fresh_machine: error: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 2 ] || fail 'usage: fresh_machine.sh SUITE PYTHON [FOLDER]'
suite=$1 version=$2
[ "$(id -u)" = 0 ] || fail 'debootstrap and chroot need root'
for command in debootstrap chroot unshare git; do
    command -v "$command" >/dev/null || fail "there is no $command here"
done
# mounts of our own, which end with us
if [ -z "${FRESH_MACHINE_UNSHARED:-}" ]; then
    FRESH_MACHINE_UNSHARED=1 exec unshare --mount --propagation private \
        sh "$here/tools/fresh_machine.sh" "$@"
fi
if [ $# -ge 3 ]; then
    mkdir -p "$3"
    root=$(CDPATH='' cd -- "$3" && pwd -P)
else
    root=$(mktemp -d)
    trap 'umount "$root/dev/shm" "$root/proc" 2>/dev/null || :
        rm -rf --one-file-system "$root"' EXIT
fi

mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -v '^ *#' | grep -oE 'https?://[^] ]*/debian/?( |$)' |
        head -n 1 | tr -d ' '
}

# The host's variables that say how to reach an index.
settings() {
    env | grep -E '^(PIP_|SSL_CERT_|REQUESTS_CA|CURL_CA|([a-z]+|[A-Z]+)_(proxy|PROXY)=)' |
        grep -v '^PIP_.*CONSTRAINT=' || :
}

copy() {
    for path; do
        [ ! -e "$path" ] || {
            mkdir -p "$root$(dirname -- "$path")"
            cp -RL "$path" "$root$(dirname -- "$path")/"
        }
    done
}

inside() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

if [ ! -e "$root/etc/debian_version" ]; then
    scripts=/usr/share/debootstrap/scripts
    script=$scripts/$suite
    [ -e "$script" ] || script=$scripts/sid  # newer than debootstrap
    url=$(mirror)
    echo "debootstrap $suite"
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" \
        "${url:-http://deb.debian.org/debian}" "$script" \
        >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        fail "debootstrap failed; its log is $root.log"
    }
    rm -f "$root.log"
fi
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"

copy /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/xdg/pip \
    /usr/local/share/ca-certificates
for path in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    ! grep -q '^ *Acquire::' "$path" 2>/dev/null || copy "$path"
done
inside update-ca-certificates >/dev/null 2>&1
# sh splits neither spaces nor stars of a value: one argument a line
newline='
'
oldifs=$IFS IFS=$newline
set -f
# shellcheck disable=SC2046
set -- $(settings)
IFS=$oldifs
set +f

echo "installing python$version and make"
# shellcheck disable=SC2086
{
    inside "$@" apt-get -q update &&
        inside "$@" apt-get -q -y --no-install-recommends install make \
            "python$version" "python$version-venv" ${PACKAGES:-}
} >"$root/apt.log" 2>&1 || {
    tail -n 5 "$root/apt.log" >&2
    fail "apt failed; its log is $root/apt.log"
}
inside id tester >/dev/null 2>&1 || inside useradd --create-home tester
home=/home/tester/python$version
rm -rf "${root:?}$home"
git -c advice.detachedHead=false clone -q --no-hardlinks "$here" "$root$home"
inside chown -R tester "$home"

failed=0
try() {
    name=$1
    shift
    if inside "$@" >"$root$home/$name.log" 2>&1; then
        echo "$name: $(tail -n 1 "$root$home/$name.log")"
    else
        echo "$name failed with $?; the end of $root$home/$name.log:"
        tail -n 30 "$root$home/$name.log"
        failed=1
    fi
}

as_tester() {
    name=$1 command=$2
    shift 2
    try "$name" "$@" HOME=/home/tester PYTHON="python$version" \
        ARGS="$(test "$name" = make || printf '%s' "${ARGS:-}")" \
        setpriv --reuid tester --regid tester --clear-groups \
        sh -c "cd $home && $command"
}

as_tester make 'make PYTHON="$PYTHON"' "$@"
as_tester make-test 'make test PYTHON="$PYTHON" ARGS="$ARGS"' "$@"
inside "$home/.venv/bin/python" -c 'if True:
    import platform, numpy
    print("Debian with Python", platform.python_version(), "and NumPy",
          numpy.__version__)' || :
exit "$failed"
