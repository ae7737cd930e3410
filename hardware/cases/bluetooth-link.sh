# Two nodes on two adapters link over RFCOMM, and messages flow; they do so while bluetoothd is
# away, even over a new link; the link returns when an adapter was off, and when a node was killed.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

# both_ways TEXT: messages flow in both directions.
both_ways() {
    inject 7051 "('log', '$1 there')"
    inject 7052 "('log', '$1 and back')"
    wait_for_line bob.messages "$1 there"
    wait_for_line alice.messages "$1 and back"
}

bluetooth_start
bluetooth_network alice bob
start_node network.yml alice
start_node network.yml bob
wait_for_line alice.log 'listening on channel .* of `hci0`'
wait_for_line bob.log 'listening on channel .* of `hci1`'
wait_for_link alice bob
both_ways "at first"
expect "with an address, no node is discoverable" eval '! hciconfig | grep -q ISCAN'
wait_until "with an address, both are connectable" eval '[ "$(hciconfig | grep -c PSCAN)" = 2 ]'
kozo status alice
wait_until "status says that it is in reach" eval "kozo status alice | grep -q 'in reach on .hci0. ($FIRST)'"

step "bluetoothd is killed"
mark alice.log bob.log
bluetoothd_stop
wait_for_new_line alice.log '`bluetoothd` is not running'
wait_for_new_line bob.log '`bluetoothd` is not running'
both_ways "without bluetoothd"
wait_until "status says so" eval 'kozo status alice | grep -q "not in reach: .bluetoothd. is not running"'
mark alice.log bob.log
wait_until "the link is cut" hcitool -i hci0 dc "$SECOND"
wait_for_new_line alice.log 'link: up'
both_ways "where the service was before"
bluetoothd_start
wait_for_new_line alice.log 'listening on channel'
wait_for_new_line bob.log 'listening on channel'

step "the adapter of bob goes down"
mark alice.log bob.log
hciconfig hci1 down
# A controller that hears nothing more of the other one ends the connection after some seconds. A virtual
# one goes on, and with it alice's kernel, for as long as anybody tries to use it.
wait_until "the controller of alice ends the connection" eval \
    '! hcitool -i hci0 con | grep -q "$SECOND" || hcitool -i hci0 dc "$SECOND"'
wait_for_new_line bob.log 'cannot be found by other nodes .* the adapter `hci1` is off'
expect "it is said once" [ -z "$(repeated bob.log 'cannot be found by other nodes' 'listening on channel')" ]
mark bob.log
wait_until "hci1 is up" eval 'hciconfig hci1 up || hciconfig hci1 | grep "UP RUNNING"'
wait_for_new_line bob.log 'listening on channel'
wait_for_new_line alice.log 'link: up'
wait_for_link alice bob
both_ways "after the adapter"

step "bob is killed"
mark alice.log bob.log
kill_node bob
start_node network.yml bob
wait_for_new_line bob.log 'listening on channel'
wait_for_new_line alice.log 'link: up'
wait_for_link alice bob
both_ways "after a crash"

stop_node alice
stop_node bob
grep -v 'link: cannot be reached' alice.log bob.log
