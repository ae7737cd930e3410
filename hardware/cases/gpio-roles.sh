# Two nodes, the roles and simulated chips: movement is seen by polling and by interrupt, and orders set
# pins, also those that end by themselves. An order that is too old and one of a stranger are not carried out.
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh

# Seconds. An order has so long to arrive, and one that shall be too old is as old.
ORDER_AGE=30

gpio_start
gpio_chip fake 8 porch 2=bell 5=lamp
cat >network.yml <<END
system:
  porch:
    $(node_keys porch)
    roles:
      polled: {type: motion-detect, chip: $CHIP, pin: 3, period: 0.2}
      watched: {type: motion-detect, chip: porch, line: bell, onChange: true, activeLow: true, pull: up}
      lamp: {type: gpio-output, chip: $CHIP, line: lamp, maximumOn: 3600, acceptOrdersFrom: ['*@hall']}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6020}
  hall:
    $(node_keys hall)
    roles:
      witness: {type: bench-witness, file: $PWD/heard, messageQueueLength: 10000}
      button: {type: message_injector, bindPort: 7050, log: false}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6021}
  street:
    $(node_keys street)
    roles:
      stranger: {type: message_injector, bindPort: 7051, log: false}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6022}
connectionRetry: 5
orderMaxAge: $ORDER_AGE
END
kozo check network.yml porch
touch heard

# heard LINE says whether hall was told so; a regular expression, in which `@` begins the sender's data.
heard() {
    grep -q -- "$1" heard
}

# order PORT CODE
order() {
    inject "$1" "('order', 'gpio $2)"
}

drive 3 down
drive 2 up
start_node network.yml hall
start_node network.yml porch
wait_for_link porch hall

step "movement, by polling"
wait_until "nothing moves" heard '"motion detection",null,"polled@porch",false'
drive 3 up
wait_until "movement" heard '"motion detection",null,"polled@porch",true'
wait_until "a line for the log" heard '"log","",null,"polled@porch","motion started"'

step "movement, by interrupt"
drive 2 down
wait_until "the bell" heard '"motion detection",null,"watched@porch",true'
drive 2 up
wait_until "the end of it" heard '"watched@porch","motion stopped"'
expect "the events are those of the edges" [ "$(grep -c '"motion detection",null,"watched@porch"' heard)" -le 3 ]

step "orders"
expect "the lamp is off" [ "$(level 5)" = 0 ]
expect "the kernel knows who has the line" eval 'gpioinfo "$CHIP" | grep -q "lamp.*kozo.*output"'
order 7050 "set', 'lamp', True"
wait_until "the lamp is on" eval '[ "$(level 5)" = 1 ]'
wait_until "its state" heard '"gpio state","lamp","lamp@porch",true'
wait_until "who did it" heard '"lamp: on, as button@hall ordered"'
order 7050 "toggle', 'lamp', None"
wait_until "the lamp is off" eval '[ "$(level 5)" = 0 ]'
# Long enough to be seen.
order 7050 "pulse', 'lamp', 10"
wait_until "a pulse" eval '[ "$(level 5)" = 1 ]'
wait_until "the end of the pulse" eval '[ "$(level 5)" = 0 ]'
order 7050 "pulse', 'lamp', 7200"
wait_for_line porch.log 'the pulse is longer than 3600 s'

step "an order of a stranger"
start_node network.yml street
wait_for_link porch street
order 7051 "set', 'lamp', True"
wait_for_line porch.log 'refused the order `gpio set` of stranger@street'
expect "the lamp is off" [ "$(level 5)" = 0 ]
stop_node street

step "an order that is too old"
order 7050 "set', 'lamp', True"
wait_until "the lamp is on" eval '[ "$(level 5)" = 1 ]'
stop_node porch
wait_until "its safe state was told" heard '"lamp: in its safe state, the role ends"'
expect "the line is free" eval '! gpioinfo "$CHIP" | grep -q kozo'
: >heard
order 7050 "set', 'lamp', True"
too_old=$((SECONDS + ORDER_AGE + 2))
wait_until "the order is too old" eval '[ $SECONDS -ge $too_old ]'
start_node network.yml porch
wait_for_link hall porch
order 7050 "set', 'lamp', False"
wait_until "the answer to the next order" eval '[ "$(grep -c "\"gpio state\",\"lamp\"" heard)" -ge 1 ]'
wait_until "the next order" eval 'kozo status porch | grep -Eq "^ *lamp .* of [0-9]+ +1 +0( |$)"'
expect "the lamp was never on" eval '! heard "\"gpio state\",\"lamp\",\"lamp@porch\",true"'

step "the daemon is killed"
order 7050 "set', 'lamp', True"
wait_until "the lamp is on" eval '[ "$(level 5)" = 1 ]'
kill_node porch
wait_until "the kernel frees the line" eval '! gpioinfo "$CHIP" | grep -q kozo'
echo "after the kill, the line of gpio-sim is at level $(level 5)"
start_node network.yml porch
wait_until "it is off from the start" eval '[ "$(level 5)" = 0 ] && gpioinfo "$CHIP" | grep -q kozo'
stop_node porch
stop_node hall
