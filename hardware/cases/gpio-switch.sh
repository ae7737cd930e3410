# A switch between a pin and ground: the pin's own resistor holds the level while it is open, and contacts
# that bounce make one event.
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh

gpio_start
gpio_chip fake 8 porch
cat >network.yml <<END
system:
  porch:
    $(node_keys porch)
    roles:
      door: {type: motion-detect, chip: porch, pin: 3, pull: up, activeLow: true, onChange: true, debounce: 3, period: 0.1}
      float: {type: motion-detect, chip: porch, pin: 5, pull: down}
      witness: {type: bench-witness, file: $PWD/heard.log, messageQueueLength: 10000}
END
touch heard.log

# told ROLE STATE: how often a role has told this state.
told() {
    grep -c "\"motion detection\",null,\"$1@porch\",$2" heard.log || true
}

# bounce LINE LEVEL: contacts that come to rest at this level.
bounce() {
    local other=up
    [ "$2" = down ] || other=down
    for level in "$2" "$other" "$2" "$other" "$2"; do
        drive "$1" "$level"
    done
}

step "the resistors"
drive 5 up
expect "the line is low" [ "$(level 3)" = 0 ]
start_node network.yml porch
wait_until "an open switch" eval '[ "$(told door false)" = 1 ]'
expect "the resistor pulls up" [ "$(cat "$SIM/sim_gpio3/pull")" = pull-up ]
wait_until "a line that is pulled down" eval '[ "$(told float false)" -ge 1 ]'
expect "the resistor pulls down" [ "$(cat "$SIM/sim_gpio5/pull")" = pull-down ]

step "the switch is closed, and opened"
bounce 3 down
wait_until "the switch is closed" eval '[ "$(told door true)" = 1 ]'
bounce 3 up
wait_until "the switch is open" eval '[ "$(told door false)" = 2 ]'
expect "it was closed once" [ "$(told door true)" = 1 ]
expect "no interrupt was lost" eval '! grep -q "without an interrupt" porch.log'
stop_node porch
