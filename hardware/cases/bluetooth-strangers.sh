# Whoever connects to a node's channel and is no node of the network is let go: one that says nothing,
# one that sends garbage, one that closes half of the stream. A node that has its turn after them links,
# and needs no rights for that: neither is root, nor has capabilities.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

# stranger LINE…: connects from hci1 to alice, as `s`, and does what the lines say, in Python. As long as the kernels
# have not done with the one before, they refuse to connect for one reason or another.
stranger() {
    python3 - "$SECOND" "$FIRST" "$CHANNEL" "$PATIENCE" "$1" <<'END'
import errno, socket, sys, time
local, remote, channel, patience, program = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
deadline = time.monotonic() + patience
while True:
    s = socket.socket(socket.AF_BLUETOOTH, socket.SOCK_STREAM, socket.BTPROTO_RFCOMM)
    s.bind((local, 0))
    s.settimeout(patience)
    try:
        s.connect((remote, channel))
        break
    except OSError as error:
        if time.monotonic() > deadline:
            raise
        print(f"tried again: {error}", flush=True)
        s.close()
        time.sleep(1)
LET_GO = errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN
def until_let_go(do):
    try:
        do()
    except OSError as error:
        if error.errno not in LET_GO:
            raise
def read_to_the_end():
    def read():
        while s.recv(4096):
            pass
    until_let_go(read)
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
# It may be let go before all of it is sent.
stranger 'until_let_go(lambda: s.sendall(b"\xff" * 4096)); read_to_the_end()'
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
