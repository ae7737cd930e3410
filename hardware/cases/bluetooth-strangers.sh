# Whoever connects to a node's channel and is no node of the network is let go: one that says nothing,
# one that sends garbage, one that closes half of the stream. A node that has its turn after them links,
# and needs no rights for that: neither is root, nor has capabilities.
# seconds: 600
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

PATIENCE=240

# stranger LINE…: connects from hci1 to alice, as `s`, and does what the lines say, in Python.
stranger() {
    python3 - "$SECOND" "$FIRST" "$CHANNEL" "$1" <<'END'
import socket, sys
local, remote, channel, program = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
s = socket.socket(socket.AF_BLUETOOTH, socket.SOCK_STREAM, socket.BTPROTO_RFCOMM)
s.bind((local, 0))
s.settimeout(90)
s.connect((remote, channel))
def read_to_the_end():
    try:
        while s.recv(4096):
            pass
    except ConnectionResetError:
        pass
exec(program)
END
}

# start_user NODE: as start_node, for a user without any rights.
start_user() {
    touch "$1.log" "$1.messages"
    chown kozo:kozo "$1".*
    setpriv --reuid kozo --regid kozo --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
        kozo --log debug run network.yml "$1" >>"$1.log" 2>&1 &
    DAEMONS[$1]=$!
}

chmod 755 .
bluetooth_start
bluetooth_network alice bob
# One of them dials: two at once are a lot for an emulated machine.
sed -i '/^  alice:/,/^  bob:/s/^    roles:/    selfToOthersConnectPolicy: never\n    roles:/' network.yml
start_user alice
wait_for_line alice.log 'listening on channel'
CHANNEL=$(sed -n 's/.*listening on channel \([0-9]*\) .*/\1/p' alice.log)

step "garbage"
stranger 's.sendall(b"\xff" * 4096); read_to_the_end()'
wait_for_line alice.log "refused a connection .*$SECOND"

step "half a stream"
stranger 's.sendall(b"SSH-2.0-nobody\r\n"); s.shutdown(socket.SHUT_WR); read_to_the_end()'

step "silence"
stranger 'read_to_the_end()'
wait_for_line alice.log "did not prove who it is within"

step "a node"
start_user bob
wait_for_line alice.log 'link: up'
# Who does not dial does not send, either.
inject 7052 "('log', 'over the air')"
wait_for_line alice.messages 'over the air'
stop_node alice
stop_node bob
grep 'link: ' alice.log | grep -v 'cannot be reached'
# What was shown of strangers is short and without control characters.
expect "the log is clean" eval '! grep -q "$(printf "\377")" alice.log'
