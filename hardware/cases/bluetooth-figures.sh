# Measures the time that a link over RFCOMM takes to come up, and what it carries. The machine is emulated:
# the figures tell what the software costs, not what a radio brings.
# measures: yes
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

[ -e /kozo/bin/libbench_source.so ] || skip "the modules for benchmarks were not built (\`make test-hardware\` does)"
bluetooth_start
bluetooth_network alice bob
sed -i "0,/roles:/s||roles:\n      pulse: {type: bench-source, size: 64, interval: 0.5, count: 60, go: $PWD/pulse}\n      flood: {type: bench-source, size: 4096, count: 150, paced: true, go: $PWD/flood}|" network.yml
sed -i "/^  bob:/,/roles:/s|    roles:|&\n      pulses: {type: bench-sink, from: pulse, count: 60, report: $PWD/pulse.json}\n      floods: {type: bench-sink, from: flood, count: 150, report: $PWD/flood.json}|" network.yml
sed -i '/^  bob:/,$s/^    roles:/    selfToOthersConnectPolicy: never\n    roles:/' network.yml
kozo check network.yml

start_node network.yml bob
wait_for_line bob.log 'listening on channel'
start_node network.yml alice
wait_for_link alice bob
# From the start of the one that dials, with the other one listening, to the link.
grep -m 2 -e 'kozo: started' -e 'link: up' alice.log
step "the link, the round trip as the nodes measure it"
kozo status alice
touch pulse
wait_until "all pulses" [ -s pulse.json ]
step "64 bytes, 2 a second"
echo "$(cat pulse.json)"
touch flood
wait_until "the flood" [ -s flood.json ]
step "4 KiB each, as fast as it goes"
echo "$(cat flood.json)"
stop_node alice
stop_node bob
