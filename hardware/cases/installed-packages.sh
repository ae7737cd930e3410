# The packages as a person has them who follows the documentation on a fresh Debian: installed by apt, one
# file edited, nodes under systemd. Movement on a pin is seen, devices in range are found, and two nodes
# link over Bluetooth, under the shipped user, unit, drop-ins, udev rule and D-Bus policy. What each of
# these is for is seen from what is said without it.
# machine: debian
# packages: yes
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh
. /kozo/guest/bluetooth.sh

DROP_INS=/etc/systemd/system/kozo@.service.d
EXAMPLES=/usr/share/doc/kozo/examples

# follow NODE: from now on, NODE.log is the journal of a node.
follow() {
    journalctl --quiet --follow --lines all --output cat --unit "kozo@$1" >>"$1.log" &
}

# heard TEXT [NODE] waits for a line of the network's log, as a node's logger writes it down.
heard() {
    wait_for_line "/var/log/kozo/${2:-kozo}.log" "$1"
}

# changed: takes a changed unit in, and begins clock.log anew.
changed() {
    systemctl daemon-reload
    systemctl stop kozo@clock
    wait_for_line clock.log 'Stopped .*kozo@clock'
    : >clock.log
    systemctl start kozo@clock
}

# without DROP-IN…: as if the packages had no such drop-ins.
without() {
    local name
    mkdir -p "$DROP_INS"
    for name in "$@"; do
        ln -s /dev/null "$DROP_INS/$name.conf"
    done
}

step "the machine has a chip with pins and two radios, as it comes"
gpio_start
gpio_chip fake 8 porch
drive 3 down
modprobe -a bluetooth rfcomm bnep hci_vhci ecdh_generic cmac ecb algif_hash algif_skcipher
controllers_start
wait_until "two adapters" eval '[ "$(timeout 30 bluetoothctl list | grep -c Controller)" = 2 ]'
FIRST=$(address_of hci0)
SECOND=$(address_of hci1)

step "apt installs the packages"
apt-get install --yes /kozo/bin/kozo_*.deb /kozo/bin/kozo-bluetooth_*.deb /kozo/bin/kozo-gpio_*.deb >apt.log 2>&1
expect "the group has the pins, without a restart of the machine" \
    [ "$(stat -c '%U %G %a' "/dev/$CHIP")" = "root gpio 660" ]
kozo check /etc/kozo/kozo.yml clock
kozo modules | grep -E 'bluetooth|gpio|motion'

step "somebody edits /etc/kozo/kozo.yml"
sudo -u kozo kozo keygen /var/lib/kozo/keys/cottage.key >cottage.pub
cat >roles <<END
      hallway: {type: motion-detect, chip: porch, pin: 3, onChange: true}
      bluetooth-discover: {adapter: hci0, searchDuration: 6, cooldown: 6}
END
cat >more <<END
    transports:
      bluetooth: {uuid: 0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c40, adapter: hci0, address: "$FIRST"}
  cottage:
    privateKey: /var/lib/kozo/keys/cottage.key
    $(grep publicKey cottage.pub)
    # One of them dials: two at once are a lot for an emulated machine.
    selfToOthersConnectPolicy: never
    roles:
      logger: {file: /var/log/kozo/cottage.log}
    transports:
      bluetooth: {uuid: 0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c41, adapter: hci1, address: "$SECOND"}
END
sed -i -e '/^    roles:/r roles' -e '/^        file: .*kozo.log/r more' /etc/kozo/kozo.yml
kozo check /etc/kozo/kozo.yml clock
kozo check /etc/kozo/kozo.yml cottage

step "the nodes are enabled"
systemctl enable --quiet --now kozo@clock kozo@cottage
follow clock
follow cottage
expect "the daemon runs as its own user" \
    [ "$(ps -o user= -p "$(systemctl show --property MainPID --value kozo@clock)")" = kozo ]
wait_for_line clock.log 'listening on channel .* of `hci0`'
wait_for_line cottage.log 'listening on channel .* of `hci1`'
drive 3 up
heard 'motion started'
drive 3 down
heard 'motion stopped'
wait_for_link clock cottage
heard '<hallway@clock> motion stopped' cottage
heard "Bluetooth devices in range: .*$SECOND"
kozo status clock | cat
systemctl status --no-pager --lines 0 kozo@clock
wait_until "the status says how it is" \
    eval '[ "$(systemctl show --property StatusText --value kozo@clock)" = "4 roles, 1 of 1 nodes linked" ]'

systemctl stop kozo@cottage

step "without the drop-ins"
without gpio bluetooth
changed
wait_for_line clock.log "/dev/$CHIP.* is hidden from this process: .* the drop-in"
wait_for_line clock.log 'RestrictAddressFamilies'

step "with those that the package kozo has for whoever drops modules in by hand"
ln -sf "$EXAMPLES/gpio.conf" "$EXAMPLES/bluetooth.conf" "$DROP_INS/"
changed
: >/var/log/kozo/kozo.log
wait_for_line clock.log 'listening on channel .* of `hci0`'
drive 3 up
heard 'motion started'
rm -r "$DROP_INS"

step "without the group"
mkdir -p "$DROP_INS"
printf '[Service]\nSupplementaryGroups=\n' >"$DROP_INS/zz-no-group.conf"
changed
wait_for_line clock.log "no permission for \`/dev/$CHIP\`: add the daemon.s user to the group \`gpio\`"
rm -r "$DROP_INS"

step "where only a group may talk to bluetoothd, the package's policy is enough"
# The policy of bluez, as some distributions change it.
sed -i '/<policy context="default">/,/<\/policy>/s/<allow send_destination="org.bluez"/<deny send_destination="org.bluez"/' \
    /etc/dbus-1/system.d/bluetooth.conf
systemctl reload dbus
changed
expect "others may not" eval '! sudo -u nobody busctl introspect org.bluez / >/dev/null 2>&1'
wait_for_line clock.log 'listening on channel .* of `hci0`'

step "without it"
mv /usr/share/dbus-1/system.d/kozo-bluetooth.dbus.conf .
systemctl reload dbus
changed
wait_for_line clock.log 'D-Bus does not let this user talk to `bluetoothd`: .* the D-Bus policy that Kōzō has'
mv kozo-bluetooth.dbus.conf /usr/share/dbus-1/system.d/
systemctl reload dbus
wait_for_line clock.log 'listening on channel .* of `hci0`'

step "the packages of modules are removed"
apt-get remove --yes kozo-bluetooth kozo-gpio >apt.log 2>&1
expect "their drop-ins are gone" [ -z "$(systemctl show --property DropInPaths --value kozo@clock)" ]
apt-get purge --yes kozo >apt.log 2>&1
left=$(find / -ignore_readdir_race -xdev -iname '*kozo*' ! -path '/proc/*' ! -path '/sys/*' ! -path '/kozo*' ! -path "$PWD/*")
expect "nothing is left: $left" [ -z "$left" ]
