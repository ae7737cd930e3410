# What cannot work says what is wrong, and the rest of the node runs: pins that do not exist or are taken, no chips,
# no permission, no Raspberry Pi. A chip that comes is used.
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh

cat >network.yml <<END
system:
  porch:
    $(node_keys porch)
    roles:
      timer: {log: false}
      witness: {type: bench-witness, file: $PWD/heard, messageQueueLength: 10000}
      anywhere: {type: motion-detect}
      raspberry: {type: motion-detect, driver: rppal}
      sensor: {type: motion-detect, chip: porch, line: bell, log: false}
      missing: {type: motion-detect, chip: porch, pin: 8}
      nameless: {type: motion-detect, chip: porch, line: gong}
      taken: {type: gpio-output, chip: porch, pin: 4}
    transports:
      tcp: {address: 127.0.0.1, bindAddress: 127.0.0.1, port: 6020}
connectionRetry: 1
END

step "what no machine could do is told by the check"
sed 's/^    transports:/      nowhere: {type: gpio-output}\
      both: {type: gpio-output, driver: rppal, pin: 4, chip: porch}\
&/' network.yml >wrong.yml
if kozo check wrong.yml porch >said 2>&1; then
    false
fi
grep 'no pin is named: give `pin`' said
grep 'remove it, or the line with `driver: rppal`' said

step "without any chip"
kozo check network.yml porch
touch heard
chmod 666 heard
start_node network.yml porch
wait_for_line porch.log 'this machine is no Raspberry Pi, so `chip` has to name a GPIO chip: this machine has none'
wait_for_line porch.log 'no Raspberry Pi that `driver: rppal` knows: use `driver: gpiochip`'
wait_for_line porch.log 'there is no GPIO chip `porch`: this machine has none'
wait_for_line heard '"tick"'

step "the chip comes"
gpio_start
# Meanwhile the node sees nothing, so that it is not the one that takes the line.
kill -STOP "${DAEMONS[porch]}"
wait_until "the node stands still" grep -q '^State:.T' "/proc/${DAEMONS[porch]}/status"
gpio_chip fake 8 porch 2=bell
gpioset --mode=signal "$CHIP" 4=1 &
holder=$!
wait_until "the line is taken by another program" eval 'gpioinfo "$CHIP" | grep "line *4:.*gpioset"'
kill -CONT "${DAEMONS[porch]}"
wait_for_line heard '"motion detection",null,"sensor@porch",false'
wait_for_line porch.log 'there is no line 8 on `gpiochip0` (porch): its lines are 0 to 7'
wait_for_line porch.log 'there is no line named `gong` on `gpiochip0` (porch)'
wait_for_line porch.log 'line 4 of `gpiochip0` (porch) is taken by `gpioset`'
wait_for_line porch.log 'name a GPIO chip: there is `gpiochip0` (porch) with 8 lines'

step "the line is free again"
kill "$holder"
wait_until "the line is taken" eval 'gpioinfo "$CHIP" | grep -q "line *4:.*kozo"'
stop_node porch

step "no permission"
chmod 600 "/dev/$CHIP"
cp porch.key kozo.key
chown kozo kozo.key
sed "s#$PWD/porch.key#$PWD/kozo.key#" network.yml >user.yml
setpriv --reuid=kozo --regid=kozo --clear-groups \
    kozo run user.yml porch --control /dev/shm/porch.sock >user.log 2>&1 &
user=$!
wait_for_line user.log 'no permission for `/dev/'"$CHIP"'`: add the daemon.s user to the group `gpio`'
kill "$user"
wait "$user"

step "the group has it"
chgrp gpio "/dev/$CHIP"
chmod 660 "/dev/$CHIP"
: >heard
setpriv --reuid=kozo --regid=kozo --groups=gpio \
    kozo run user.yml porch --control /dev/shm/porch.sock >user.log 2>&1 &
user=$!
wait_for_line heard '"motion detection",null,"sensor@porch",false'
kill "$user"
wait "$user"
