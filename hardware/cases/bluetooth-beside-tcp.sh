# Two nodes have TCP and Bluetooth. When TCP is cut, messages go over Bluetooth; when it is back, over TCP
# again. None is lost, repeated or out of order.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

# The wire: an address of each node, that this machine has or not.
wire_up() {
    ip route del blackhole 10.99.0.1/32 2>/dev/null || true
    ip route del blackhole 10.99.0.2/32 2>/dev/null || true
    ip addr add 10.99.0.1/32 dev lo
    ip addr add 10.99.0.2/32 dev lo
}

wire_cut() {
    ip addr del 10.99.0.1/32 dev lo
    ip addr del 10.99.0.2/32 dev lo
    ip route add blackhole 10.99.0.1/32
    ip route add blackhole 10.99.0.2/32
}

# over TRANSPORT: what the link of alice with bob goes over now.
over() {
    kozo status alice | grep -Eq "^ *bob +up +$1 "
}

# send: the next messages, numbered.
sent=0
send() {
    local last=$((sent + $1))
    while [ $sent -lt $last ]; do
        sent=$((sent + 1))
        inject 7051 "('log', 'number $sent.')"
    done
}

bluetooth_start
bluetooth_network alice bob
number=0
for node in alice bob; do
    number=$((number + 1))
    sed -i "/^  $node:/,/transports:/s/    transports:/&\n      tcp: {address: 10.99.0.$number, bindAddress: 0.0.0.0, port: 602$number}/" network.yml
done
sed -i '1i outgoingQueueLength: 1000' network.yml
kozo check network.yml
wire_up
start_node network.yml alice
start_node network.yml bob
wait_until "a link over tcp" over tcp
send 20

step "TCP is cut"
wire_cut
send 40
wait_until "a link over bluetooth" over bluetooth
send 20

step "TCP is back"
wire_up
send 20
wait_until "a link over tcp again" over tcp
send 20

wait_for_line bob.messages "number $sent\\."
seq 1 "$sent" | sed 's/.*/number &./' >expected
grep -o 'number [0-9]*\.' bob.messages >arrived
expect "all $sent arrived, once and in order" [ "$(cat expected)" = "$(cat arrived)" ]
stop_node alice
stop_node bob
grep 'link: ' alice.log | grep -v 'cannot be reached'
