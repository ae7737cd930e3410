# Sourced by every case, in the machine: daemons, and waiting for what they do.
# shellcheck shell=bash
set -uo pipefail -o errtrace

# A command that fails where nobody asks whether it does ends the case.
trap 'fail "line $LINENO of ${BASH_SOURCE[0]}: \`$BASH_COMMAND\`"' ERR

# Seconds that anything waited for may take. Emulated machines are slow, and that which emulates them may be busy.
PATIENCE=180

grep -qs localhost /etc/hosts || echo '127.0.0.1 localhost' >/etc/hosts

# step TEXT says what comes now.
step() {
    printf '[%s s] %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$*"
}

# fail TEXT ends the case, with all that the daemons said.
fail() {
    local log
    trap - ERR
    step "FAILED: $*"
    for log in ./*.log; do
        [ ! -e "$log" ] || { echo "--- $log" && tail -n 60 "$log"; }
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

# said NODE TEXT COUNT: whether a node's log has so many lines with this in it, or more.
said() {
    [ "$(grep -c -- "$2" "$1.log")" -ge "$3" ]
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
