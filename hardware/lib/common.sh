# Sourced by the scripts of this folder: where things are, and how to say why something cannot be done.
# shellcheck shell=bash
set -euo pipefail

HARDWARE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What takes minutes to make is kept here, from run to run. Safe to delete.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kozo-ci/hardware

# The exit code for "cannot be done on this machine", which counts as skipped. The reason is the last
# line that is written.
SKIPPED=77

say() {
    printf '[hardware +%d s] %s\n' "$SECONDS" "$*" >&2
}

# skip REASON ends the script.
skip() {
    printf '%s\n' "$*" >&2
    exit $SKIPPED
}

# need COMMAND:PACKAGE… ends the script when a command is not there. The command may be a path.
need() {
    local missing=() wanted
    for wanted in "$@"; do
        command -v "${wanted%%:*}" >/dev/null || [ -e "${wanted%%:*}" ] || missing+=("${wanted##*:}")
    done
    [ ${#missing[@]} -eq 0 ] || skip "these packages are not installed: ${missing[*]}"
}

# attempt WHAT LOG COMMAND… runs a command of the set-up whose output only matters when it fails, which
# is what it means that this machine cannot do it.
attempt() {
    local what=$1 log=$2
    shift 2
    say "$what"
    "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2 && skip "cannot $what (all of it: $log)"; }
}

# machine_folder NAME FILE… prints where the image of a machine belongs that these files make: another
# folder when one of them changes.
machine_folder() {
    echo "$CACHE/$1-$(cat "${@:2}" | sha256sum | cut -c 1-12)"
}

# Days after which an image that nobody uses is deleted.
UNUSED_AFTER=7

# machine_once FOLDER COMMAND… calls a command that makes an image, unless it was made before, and
# deletes other images that are out of use. One at a time.
machine_once() {
    local folder=$1 lock
    shift
    mkdir -p "$CACHE"
    exec {lock}>"$CACHE/lock"
    flock "$lock"
    if [ ! -e "$folder/ready" ]; then
        find "$CACHE" -mindepth 2 -maxdepth 2 -name ready -mtime +$UNUSED_AFTER -printf '%h\0' | xargs -0 -r rm -rf
        rm -rf "$folder" && mkdir -p "$folder"
        "$@"
        say "made $folder: $(du -sh "$folder" | cut -f 1)"
    fi
    touch "$folder/ready"
    exec {lock}>&-
}

# What a machine's console says at last, on a line of its own (an extended regular expression).
ENDED='ENDED with exit code ([0-9]+)[^0-9]*$'

# The exit code of `timeout` when the time is over.
TIME_IS_OVER=124

# verdict CONSOLE SECONDS STATUS ends the script with what a machine's console says of the case that it ran. STATUS is
# how the emulator ended, which had so much time.
verdict() {
    local status
    status=$(sed -nE "s/.*$ENDED/\1/p" "$1" | tail -n 1)
    [ -z "$status" ] || exit "$status"
    grep -aq 'BOOTED' "$1" || skip "the machine did not boot within $2 s, or stopped (exit code $3)"
    if [ "$3" = $TIME_IS_OVER ]; then
        echo "FAILED: the case did not end within $2 s"
    else
        echo "FAILED: the machine stopped before the case ended (exit code $3)"
    fi
    # The last that was heard of it.
    tail -n 8 "$1"
    exit 1
}
