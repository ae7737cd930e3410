# The two virtual controllers work as BlueZ sees them: what the other cases build on.
. /kozo/guest/kozo.sh
. /kozo/guest/bluetooth.sh

bluetooth_start
expect "the addresses differ" [ "$FIRST" != "$SECOND" ]
wait_until "hci1 in range of hci0" eval 'hciconfig hci1 piscan && hcitool -i hci0 scan --flush | grep "$SECOND"'
bluetoothd_stop
bluetoothd_start
