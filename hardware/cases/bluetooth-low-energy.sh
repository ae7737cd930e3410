# A device of Bluetooth Low Energy that advertises itself is found, under a hostile name, renamed and lost;
# one of classic Bluetooth is not reported then. Where classic devices are looked for, it is the other
# way round, and `both` finds either. All by what a role gets to hear.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

# look_for MODE SECONDS starts a node that looks for such devices, for so long each time. What its roles get
# to hear is in `heard.log`.
look_for() {
    cat >network.yml <<END
system:
  alice:
    $keys
    roles:
      bluetooth-discover: {adapter: hci0, searchDuration: $2, cooldown: 0.5, mode: $1}
      witness: {type: bench-witness, file: $PWD/heard.log}
END
    : >heard.log
    start_node network.yml alice
}

# advertise DATA lets hci1 advertise itself. DATA are fields in hex, each with its length and type; 09 is
# the name. Without DATA it stops.
advertise() {
    if [ -n "${1:-}" ]; then
        manage add-adv -d "$1" 1
    else
        manage rm-adv 1
    fi
}

# manage WORD… lets the kernel do something with hci1. The tool wants an input that ends.
manage() {
    btmgmt --index 1 "$@" <<<""
}

# nothing_in_range: a whole search has found nothing.
nothing_in_range() {
    : >heard.log
    # The first one may have begun before.
    wait_until "two searches" eval '[ "$(grep -c "bluetooth devices in range" heard.log)" -ge 2 ]'
    expect "nothing is in range" [ "$(grep '"bluetooth devices in range"' heard.log | sed -n 2p | grep -c '{}')" = 1 ]
}

bluetooth_start
keys=$(node_keys alice)
# A phone (major class 2, minor class 12): of no class at all, nothing would be told.
wait_until "hci1 is a phone" eval 'manage class 2 12 && hciconfig hci1 class | grep -i "Class: 0x[0-9a-f]*020c"'

step "Low Energy is looked for"
adapter_set hci1 Discoverable boolean:true
look_for le 5
nothing_in_range
# An escape sequence, and an override of the direction.
advertise 0a09781b5b324ae280ae79
replaced=$'\357\277\275'
wait_for_line heard.log "\"bluetooth devices in range\",null,\"bluetooth-discover@alice\",{\"$SECOND\":\"x$replaced\\[2J${replaced}y\"}"
wait_for_line heard.log "\"bluetooth devices in detail\".*\"address\":\"$SECOND\",.*\"name\":\"x$replaced\\[2J${replaced}y\",.*\"version\":1"
# What is no UTF-8 becomes a space before.
advertise 04097aff7a
wait_for_line heard.log "renamed: .* is now z z ($SECOND)"
advertise
wait_for_line heard.log "gone: z z ($SECOND)"
stop_node alice

step "classic devices are looked for"
adapter_set hci1 Discoverable boolean:false
advertise 0409746167
look_for classic 5
nothing_in_range
adapter_set hci1 Discoverable boolean:true
wait_for_line heard.log "\"bluetooth devices in detail\".*\"address\":\"$SECOND\",\"class\":$((0x20c)),"
stop_node alice

step "both are looked for"
adapter_set hci1 Discoverable boolean:false
# The kernel takes turns of 5 seconds.
look_for both 11
# Who does not want to be connected to advertises under an address that changes.
wait_for_line heard.log '"bluetooth devices in detail".*"name":"tag",.*"random_address":true'
advertise
wait_for_line heard.log 'gone: tag ('
adapter_set hci1 Discoverable boolean:true
wait_for_line heard.log "\"bluetooth devices in detail\".*\"address\":\"$SECOND\",\"class\":$((0x20c)),"
stop_node alice
