# How long it takes from a change of a pin to the event at a role of another node.
# measures: yes
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh

gpio_start
gpio_chip fake 8 porch
cat >network.yml <<END
system:
  porch:
    $(node_keys porch)
    roles:
      sensor: {type: motion-detect, chip: porch, pin: 3, onChange: true, log: false}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6020}
  hall:
    $(node_keys hall)
    roles:
      edge: {type: bench-edge, file: $SIM/sim_gpio3/pull, report: $PWD/figures, count: 200}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6021}
END
start_node network.yml hall
# Its first event reaches hall as soon as there is a link.
start_node network.yml porch
wait_until "the figures" test -s figures
echo "edge to event, on another node, on an emulated machine: $(cat figures)"
stop_node porch
stop_node hall
