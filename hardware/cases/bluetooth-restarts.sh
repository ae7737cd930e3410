# D-Bus is started anew, and bluetoothd with it; the adapters are unplugged and plugged in again. Each time
# the nodes, and a role that looks for devices, say once what is missing, and go on by themselves.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

# missing TEXT: both nodes and the role say that this is missing, since the mark; so does `kozo status`.
missing() {
    local node
    for node in alice bob; do
        wait_for_new_line $node.log "cannot be found by other nodes .*$1"
        wait_until "$node says so" eval "kozo status $node | grep -q 'not in reach: .*$1'"
    done
    wait_for_new_line alice.log "cannot look for devices, .*$1"
}

# well_again: both nodes listen again, since the mark, and the role looks for devices.
well_again() {
    wait_for_new_line alice.log 'listening on channel'
    wait_for_new_line bob.log 'listening on channel'
    wait_for_new_line alice.log 'looks for devices again'
    wait_until "alice is in reach" eval "kozo status alice | grep -q 'in reach on .hci0. ($FIRST)'"
    wait_for_link alice bob
}

# flows TEXT: messages flow. Each time with another text.
flows() {
    inject 7051 "('log', '$1')"
    wait_for_line bob.messages "$1"
}

bluetooth_start
bluetooth_network alice bob
sed -i '0,/roles:/s//roles:\n      bluetooth-discover: {adapter: hci0, searchDuration: 2, cooldown: 5}/' network.yml
# One of them dials: two at once are a lot for an emulated machine that looks around, too.
sed -i '/^  bob:/,$s/^    roles:/    selfToOthersConnectPolicy: never\n    roles:/' network.yml
start_node network.yml bob
wait_for_line bob.log 'listening on channel'
start_node network.yml alice
# Who dials needs nothing of bluetoothd: the link may be there before alice can be found.
wait_for_line alice.log 'listening on channel'
wait_for_link alice bob
flows "at first"

step "D-Bus ends"
mark alice.log bob.log
dbus_stop
missing 'D-Bus is not reached'
flows "without a bus"
step "D-Bus is back"
mark alice.log bob.log
dbus_start
bluetoothd_start
well_again

step "the adapters are unplugged"
mark alice.log bob.log
controllers_unplug
missing 'there is no .hci[01].; present: none'
step "the adapters are plugged in"
mark alice.log bob.log
controllers_start
well_again
flows "with new adapters"
for node in alice bob; do
    expect "$node says once what is missing" \
        [ -z "$(repeated $node.log 'cannot be found by other nodes' 'listening on channel')" ]
done
expect "the role says once what is missing" \
    [ -z "$(repeated alice.log 'cannot look for devices' 'looks for devices again')" ]

stop_node alice
stop_node bob
grep -v 'link: cannot be reached' alice.log bob.log
