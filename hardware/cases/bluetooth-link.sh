# Two nodes on two adapters link over RFCOMM, and messages flow; they do so while bluetoothd is
# away, even over a new link; the link returns when an adapter was off, and when a node was killed.
# seconds: 900
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
expect "with an address, both are connectable" [ "$(hciconfig | grep -c PSCAN)" = 2 ]
kozo status alice
expect "status says that it is in reach" eval "kozo status alice | grep -q 'in reach on .hci0. ($FIRST)'"

PATIENCE=300
step "bluetoothd is killed"
bluetoothd_stop
wait_for_line alice.log '`bluetoothd` is not running'
wait_for_line bob.log '`bluetoothd` is not running'
both_ways "without bluetoothd"
expect "status says so" eval 'kozo status alice | grep -q "not in reach: .bluetoothd. is not running"'
links=$(grep -c 'link: up' alice.log)
hcitool -i hci0 dc "$SECOND"
wait_until "a new link" said alice 'link: up' $((links + 1))
both_ways "where the service was before"
bluetoothd_start
wait_until "alice is announced again" said alice 'listening on channel' 2
wait_until "bob is announced again" said bob 'listening on channel' 2

# After bluetoothd, for the virtual controllers do not notice that the other one is gone: the kernel of
# alice does so by and by, and may end a stream that was made meanwhile.
step "the adapter of bob goes down"
hciconfig hci1 down
wait_for_line bob.log 'cannot be found by other nodes .* the adapter `hci1` is off'
expect "it is said once" [ "$(grep -c 'cannot be found by other nodes .* the adapter `hci1` is off' bob.log)" = 1 ]
hciconfig hci1 up
wait_until "bob listens again" said bob 'listening on channel' 3
wait_for_link alice bob
both_ways "after the adapter"

step "bob is killed"
kill_node bob
start_node network.yml bob
wait_until "bob listens again" said bob 'listening on channel' 4
wait_for_link alice bob
both_ways "after a crash"

stop_node alice
stop_node bob
grep -v 'link: cannot be reached' alice.log bob.log
