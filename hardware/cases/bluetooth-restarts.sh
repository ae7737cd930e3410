# D-Bus is started anew, and bluetoothd with it; the adapters are unplugged and plugged in again. Each time
# the nodes, and a role that looks for devices, say once what is missing, and go on by themselves.
# seconds: 900
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

PATIENCE=240

# missing TEXT: both nodes and the role say that this is missing, once each; so does `kozo status`.
missing() {
    local node
    for node in alice bob; do
        wait_for_line $node.log "cannot be found by other nodes .*$1"
        wait_until "$node says so" eval "kozo status $node | grep -q 'not in reach: .*$1'"
    done
    wait_for_line alice.log "cannot look for devices, .*$1"
}

# well_again COUNT: both nodes listen for so many times by now, and the role looks for devices.
well_again() {
    wait_until "alice listens again" said alice 'listening on channel' "$1"
    wait_until "bob listens again" said bob 'listening on channel' "$1"
    wait_until "the role goes on" said alice 'looks for devices again' $(($1 - 1))
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
wait_for_link alice bob
flows "at first"

step "D-Bus ends"
dbus_stop
missing 'D-Bus is not reached'
flows "without a bus"
step "D-Bus is back"
dbus_start
bluetoothd_start
well_again 2

step "the adapters are unplugged"
controllers_unplug
missing 'there is no .hci[01].; present: none'
step "the adapters are plugged in"
controllers_start
well_again 3
flows "with new adapters"
for said in 'D-Bus is not reached' 'there is no `hci'; do
    expect "alice said once: $said" [ "$(grep -c "cannot be found by other nodes .*$said" alice.log)" = 1 ]
    expect "bob said once: $said" [ "$(grep -c "cannot be found by other nodes .*$said" bob.log)" = 1 ]
    expect "the role said once: $said" [ "$(grep -c "cannot look for devices, .*$said" alice.log)" = 1 ]
done

stop_node alice
stop_node bob
grep -v 'link: cannot be reached' alice.log bob.log
