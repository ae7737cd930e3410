# The roles on a Raspberry Pi, with the program and the modules built for it: movement is seen by polling and
# by interrupt, orders set a pin, and a killed daemon leaves it as it is.
# machine: pi
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh
. /kozo/guest/pi.sh

pi_start
cat >network.yml <<END
system:
  pi:
    $(node_keys pi)
    roles:
      polled: {type: motion-detect, pin: 17, period: 0.2}
      watched: {type: motion-detect, driver: rppal, pin: 27, onChange: true, period: 1}
      switch: {type: motion-detect, driver: rppal, pin: 6, onChange: true, debounce: 8, period: 0.1}
      chip: {type: motion-detect, driver: gpiochip, pin: 5, onChange: true}
      beyond: {type: motion-detect, pin: 54}
      lamp: {type: gpio-output, pin: 22}
      witness: {type: bench-witness, file: $PWD/heard, messageQueueLength: 10000}
      button: {type: message_injector, bindPort: 7050, log: false}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6020}
END
kozo check network.yml pi
touch heard

# heard LINE says whether this was told; a regular expression.
heard() {
    grep -q -- "$1" heard
}

drive 17 down
drive 27 down
drive 6 down
start_node network.yml pi
wait_until "all roles" heard '"motion detection",null,"watched@pi",false'
wait_until "the switch" heard '"motion detection",null,"switch@pi",false'
wait_for_line pi.log 'there is no pin 54 on this Raspberry Pi'

step "movement, by polling"
wait_until "nothing moves" heard '"motion detection",null,"polled@pi",false'
drive 17 up
wait_until "movement" heard '"motion detection",null,"polled@pi",true'

step "movement, by interrupt"
drive 27 up
wait_until "movement" heard '"motion detection",null,"watched@pi",true'
drive 27 down
wait_until "the end of it" heard '"watched@pi","motion stopped"'
drive 5 up
wait_until "movement on the chip's line" heard '"motion detection",null,"chip@pi",true'
# The registers show each bounce; what stands for long enough is told by the interrupt.
drive 6 up
drive 6 down
drive 6 up
wait_until "the switch" heard '"motion detection",null,"switch@pi",true'
expect "the switch was told once" [ "$(grep -c '"motion detection",null,"switch@pi",true' heard)" = 1 ]
expect "no interrupt was lost" eval '! grep -q "without an interrupt" pi.log'

step "orders"
expect "the lamp is off" [ "$(level 22)" = 0 ]
inject 7050 "('order', 'gpio set', 'lamp', True)"
wait_until "the lamp is on" eval '[ "$(level 22)" = 1 ]'
wait_until "its state" heard '"gpio state","lamp","lamp@pi",true'
inject 7050 "('order', 'gpio toggle', 'lamp', None)"
wait_until "the lamp is off" eval '[ "$(level 22)" = 0 ]'
inject 7050 "('order', 'gpio pulse', 'lamp', 1)"
wait_until "a pulse" eval '[ "$(level 22)" = 1 ]'
wait_until "the end of the pulse" eval '[ "$(level 22)" = 0 ]'

step "a daemon that was stopped for a while goes on"
: >heard
kill -STOP "${DAEMONS[pi]}"
kill -CONT "${DAEMONS[pi]}"
drive 27 up
wait_until "movement" heard '"motion detection",null,"watched@pi",true'

step "the daemon is killed"
inject 7050 "('order', 'gpio set', 'lamp', True)"
wait_until "the lamp is on" eval '[ "$(level 22)" = 1 ]'
kill_node pi
expect "nobody sets the registers" [ "$(level 22)" = 1 ]
step "it comes back"
start_node network.yml pi
wait_until "it is off from the start" eval '[ "$(level 22)" = 0 ]'
inject 7050 "('order', 'gpio set', 'lamp', True)"
wait_until "the lamp is on" eval '[ "$(level 22)" = 1 ]'
step "it ends in order"
stop_node pi
expect "it is in its safe state" [ "$(level 22)" = 0 ]
