# Sourced by cases that need Bluetooth: two controllers that exist in the kernel alone, in range of each
# other, and a bluetoothd.
# shellcheck shell=bash

# bluetooth_start sets FIRST and SECOND to the addresses of hci0 and hci1, and BLUETOOTHD to the process
# of the daemon, whose log is bluetoothd.log. Words are further arguments of bluetoothd.
bluetooth_start() {
    # Those that bluetoothd would ask for by and by are loaded now: the first start is then reliable.
    modprobe -a bluetooth rfcomm bnep hci_vhci ecdh_generic cmac ecb algif_hash algif_skcipher || skip "this kernel has no virtual Bluetooth controllers"
    dbus_start
    controllers_start
    bluetoothd_start "$@"
    FIRST=$(address_of hci0)
    SECOND=$(address_of hci1)
    step "Bluetooth is ready: hci0 is $FIRST, hci1 is $SECOND"
}

dbus_start() {
    mkdir -p /run/dbus
    [ -S /run/dbus/system_bus_socket ] || dbus-daemon --system --fork
}

# dbus_stop ends the bus, and with it bluetoothd, which does not stay without.
dbus_stop() {
    local bus
    bus=$(cat /run/dbus/pid)
    kill "$bus"
    wait_until "the end of the bus" eval "! kill -0 $bus"
    wait_until "the end of bluetoothd" eval "! kill -0 $BLUETOOTHD"
    rm -f /run/dbus/pid /run/dbus/system_bus_socket
    wait "$BLUETOOTHD" || true
}

# Two controllers for classic and low energy. Now and then one misses its reset, and never recovers: each try
# waits for twice as long as the one before, for the machine may as well be slow.
controllers_start() {
    local limit deadline
    for limit in 2 4 8 16 32 64 128 256; do
        btvirt -l2 >btvirt.log 2>&1 &
        CONTROLLERS=$!
        deadline=$((SECONDS + limit))
        while [ $SECONDS -le $deadline ]; do
            [ "$(hciconfig | grep 'BD Address' | grep -vc '00:00:00:00:00:00')" != 2 ] || return 0
            sleep 0.1
        done
        step "a controller did not start within $limit s: tried again"
        kill "$CONTROLLERS"
        wait "$CONTROLLERS" 2>/dev/null || true
    done
    fail "the virtual controllers do not start"
}

# bluetoothd_start [ARGUMENT…] returns when the daemon knows both controllers, and has switched them on. The kernel
# does so by itself for a moment when they come.
bluetoothd_start() {
    local adapter
    /usr/libexec/bluetooth/bluetoothd -n "$@" >>bluetoothd.log 2>&1 &
    BLUETOOTHD=$!
    for adapter in hci0 hci1; do
        wait_until "$adapter is on" adapter_is_on $adapter
    done
}

adapter_is_on() {
    [ "$(dbus-send --system --print-reply --dest=org.bluez "/org/bluez/$1" \
        org.freedesktop.DBus.Properties.Get string:org.bluez.Adapter1 string:Powered | grep -c 'boolean true')" = 1 ] &&
        [ "$(hciconfig "$1" | grep -c 'UP RUNNING')" = 1 ]
}

# bluetoothd_stop ends the daemon, as a crash would.
bluetoothd_stop() {
    kill -KILL "$BLUETOOTHD"
    wait "$BLUETOOTHD" || true
}

# controllers_unplug takes both away from under whoever uses them; controllers_start plugs them in again.
controllers_unplug() {
    kill "$CONTROLLERS"
    wait "$CONTROLLERS" || true
    wait_until "no adapter" eval '! hciconfig | grep -q hci'
}

address_of() {
    hciconfig "$1" | sed -n 's/.*BD Address: \([0-9A-F:]*\).*/\1/p'
}

# bluetooth_network FIRST-NODE SECOND-NODE writes network.yml: two nodes, the first on hci0, the second on
# hci1, each with a `message_injector` (ports 7051 and 7052) and a `logger` (NODE.messages).
bluetooth_network() {
    local nodes=("$1" "$2") addresses=("$FIRST" "$SECOND") number node
    {
        printf 'connectionRetry: 2\nsystem:\n'
        for number in 0 1; do
            node=${nodes[number]}
            cat <<END
  $node:
    $(node_keys "$node")
    roles:
      message_injector:
        bindAddress: 127.0.0.1
        bindPort: $((7051 + number))
        log: false
      logger:
        file: $PWD/$node.messages
        timePrefix: ''
        flushEvery: 1
    transports:
      bluetooth:
        uuid: 0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c4$number
        adapter: hci$number
        address: ${addresses[number]}
END
        done
    } >network.yml
}

# adapter_set ADAPTER PROPERTY VALUE sets a property of an adapter, by way of bluetoothd, in the notation of
# dbus-send.
adapter_set() {
    dbus-send --system --print-reply --reply-timeout=$((PATIENCE * 1000)) --dest=org.bluez "/org/bluez/$1" \
        org.freedesktop.DBus.Properties.Set string:org.bluez.Adapter1 "string:$2" "variant:$3" >/dev/null
}
