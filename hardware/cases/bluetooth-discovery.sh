# A node without `address` is found by its UUID among the devices in range, and linked with; meanwhile
# a role finds its device, hears of its new name, even a hostile one, and loses it, which other roles
# are told. When the radio is blocked, the role says so, and goes on when it no longer is.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

bluetooth_start
bluetooth_network alice bob
sed -i '/^        address: /d' network.yml
sed -i '0,/roles:/s//roles:\n      bluetooth-discover: {adapter: hci0, searchDuration: 6, cooldown: 6}/' network.yml
# What the other roles of alice are told.
sed -i "0,/roles:/s||roles:\n      witness: {type: bench-witness, file: $PWD/heard.log}|" network.yml
# One of them dials, so that the other's search does not keep the emulated machine busy as well.
sed -i '/^  bob:/,$s/^    roles:/    selfToOthersConnectPolicy: never\n    roles:/' network.yml
kozo check network.yml

start_node network.yml bob
wait_for_line bob.log 'listening on channel .* of `hci1` (.*, discoverable)'
start_node network.yml alice
wait_for_link alice bob
step "bob was found"
inject 7051 "('log', 'found you')"
wait_for_line bob.messages 'found you'
mark alice.log
wait_for_line alice.messages "Bluetooth devices in range: .*($SECOND)"

adapter_set hci1 Alias string:Parrot
wait_for_line alice.messages "renamed: .* is now Parrot ($SECOND)"
range='"bluetooth devices in range",null,"bluetooth-discover@alice"'
detail='"bluetooth devices in detail",null,"bluetooth-discover@alice"'
wait_for_line heard.log "$range,{\"$SECOND\":\"Parrot\"}"
wait_for_line heard.log "$detail,{\"devices\":\[{\"address\":\"$SECOND\",.*\"name\":\"Parrot\",.*\"random_address\":false,\"rssi\":-.*\"version\":1}"
# An escape sequence, and an override of the direction. Longer names do not fit into what a search brings.
adapter_set hci1 Alias "string:$(printf 'x\033[2J\342\200\256%020d' 7)"
replaced=$'\357\277\275'
hostile="x$replaced\\[2J$replaced.*0007"
wait_for_line alice.messages "is now $hostile"
wait_for_line heard.log "$range,{\"$SECOND\":\"$hostile\"}"
wait_for_line heard.log "$detail,.*\"name\":\"$hostile\""
expect "no control characters get through" eval '! grep -q "$(printf "\033")" alice.messages'
inject 7051 "('log', 'still linked')"
wait_for_line bob.messages 'still linked'
expect "searching has not cut the link" eval '! has_new_line alice.log "link: down"'

stop_node bob
# It was discoverable without end, so nothing else ends it.
wait_until "who made the adapter discoverable ends it" eval '! hciconfig hci1 | grep ISCAN'
wait_for_line alice.messages "gone: .*($SECOND)"
wait_for_line heard.log "$range,{}"
expect "it was told at last" [ "$(grep -F "$range" heard.log | tail -n 1 | grep -c '{}')" = 1 ]

step "the radio is blocked, and let on again"
switch=$(echo /sys/class/bluetooth/hci0/rfkill*/soft)
echo 1 >"$switch"
wait_for_line alice.log 'cannot look for devices, .* `rfkill unblock bluetooth`'
expect "it is said once" [ -z "$(repeated alice.log 'cannot look for devices' 'looks for devices again')" ]
mark alice.log
echo 0 >"$switch"
wait_until "hci0 is on again" adapter_set hci0 Powered boolean:true
wait_for_new_line alice.log 'looks for devices again'

stop_node alice
grep -v 'link: cannot be reached' alice.log bob.log
