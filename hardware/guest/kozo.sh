# Sourced by every case, in the machine: daemons, and waiting for what they do.
# shellcheck shell=bash
set -uo pipefail -o errtrace

# A command that fails where nobody asks whether it does ends the case.
trap 'fail "line $LINENO of ${BASH_SOURCE[0]}: \`${BASH_COMMAND%%$'\''\n'\''*}\`"' ERR

# Seconds that anything waited for may take. Emulated machines are slow, and that which emulates them may be busy.
PATIENCE=600

# How much is said once more when a case has failed: of so many logs, so many lines, of so many characters.
LAST_LOGS=3
LAST_LINES=4
LAST_WIDTH=250

grep -qs localhost /etc/hosts || echo '127.0.0.1 localhost' >/etc/hosts

# step TEXT says what comes now.
step() {
    printf '[%s s] %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"
}

# fail TEXT ends the case, with all that the daemons said. What matters is said once more at the end, and is short:
# `hardware/test` repeats it.
fail() {
    local log
    trap - ERR
    step "FAILED: $*"
    for log in ./*.log; do
        [ ! -e "$log" ] || { echo "--- $log" && tail -n 60 "$log"; }
    done
    step "FAILED: $*"
    # Those that were written to at last.
    for log in $(ls -t ./*.log 2>/dev/null | head -n $LAST_LOGS); do
        tail -n $LAST_LINES "$log" | cut -c "1-$LAST_WIDTH" | sed "s|^|${log#./}: |"
    done
    exit 1
}

# skip REASON ends the case, which counts as skipped.
skip() {
    echo "skipped: $*"
    exit 77
}

# wait_until TEXT COMMAND… waits until the command succeeds; TEXT is what for.
wait_until() {
    local what=$1 deadline=$((SECONDS + PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "$what: not within $PATIENCE s"
        sleep 0.1
    done
}

# wait_for_line FILE TEXT waits until a file has a line with this in it (a basic regular expression).
wait_for_line() {
    wait_until "\`$2\` in $1" grep -q -- "$2" "$1"
}

declare -A MARKS=()

# mark FILE… remembers how far files have come, for `wait_for_new_line`. A slow machine makes daemons say again what
# they have said before, so lines are not counted from the beginning.
mark() {
    local file
    for file in "$@"; do
        MARKS[$file]=$(wc -l <"$file")
    done
}

# wait_for_new_line FILE TEXT waits until a file has a line with this in it that is behind its mark.
wait_for_new_line() {
    wait_until "\`$2\` in $1, behind line ${MARKS[$1]}" has_new_line "$1" "$2"
}

has_new_line() {
    [ "$(tail -n +$((MARKS[$1] + 1)) "$1" | grep -c -- "$2")" -gt 0 ]
}

# repeated FILE TROUBLE RECOVERY prints what a daemon has said more than once about one trouble: lines with TROUBLE
# that say the same as the one before, without a line with RECOVERY between them.
repeated() {
    grep -e "$2" -e "$3" "$1" | cut -d ' ' -f 2- | uniq -d | grep -- "$2" || true
}

# expect TEXT COMMAND… fails when the command does; TEXT is what should be.
expect() {
    local what=$1
    shift
    "$@" || fail "it is not so: $what"
}

# node_keys NODE makes a node's key, and prints the two lines for its block.
node_keys() {
    local line
    line=$(kozo keygen "$1.key" 2>/dev/null) || return
    printf 'privateKey: %s/%s.key\n    %s\n' "$PWD" "$1" "$line"
}

declare -A DAEMONS=()

# start_node FILE NODE [VARIABLE=VALUE…] starts a daemon in the background; its log is NODE.log.
start_node() {
    local file=$1 node=$2
    shift 2
    env "$@" kozo --log debug run "$file" "$node" >>"$node.log" 2>&1 &
    DAEMONS[$node]=$!
}

# stop_node NODE ends a daemon in order; fails when it does not go.
stop_node() {
    local process=${DAEMONS[$1]}
    kill -TERM "$process"
    wait_until "the end of $1" eval "! kill -0 $process"
    wait "$process" || fail "$1 ended with exit code $?"
}

# kill_node NODE kills a daemon.
kill_node() {
    kill -KILL "${DAEMONS[$1]}"
    wait "${DAEMONS[$1]}" || true
}

# wait_for_link NODE PEER
wait_for_link() {
    wait_until "a link of $1 with $2" eval "kozo status $1 --json | grep -q . && kozo status $1 | grep -Eq '^ *$2 +up '"
}

# inject PORT LINE sends a message through the `message_injector` that listens on the port.
inject() {
    local answer
    wait_until "a message_injector on port $1" bash -c "exec 9<>/dev/tcp/127.0.0.1/$1"
    exec 9<>"/dev/tcp/127.0.0.1/$1"
    printf '%s\n' "$2" >&9
    IFS= read -r -t "$PATIENCE" answer <&9
    exec 9>&-
    [ "$answer" = ok ] || fail "\`$2\` was answered with \`$answer\`"
}
