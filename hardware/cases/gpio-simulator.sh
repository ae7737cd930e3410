# The simulated GPIO chip works as Debian's own tools see it: what the other cases build on.
. /kozo/guest/kozo.sh
. /kozo/guest/gpio.sh

gpio_start
gpio_chip fake 8 porch 2=bell
gpioinfo "$CHIP"
drive 3 down
expect "line 3 is low" [ "$(gpioget "$CHIP" 3)" = 0 ]
drive 3 up
expect "line 3 is high" [ "$(gpioget "$CHIP" 3)" = 1 ]
gpioset --mode=signal "$CHIP" 2=1 &
holder=$!
wait_until "line 2 is high" eval '[ "$(level 2)" = 1 ]'
kill "$holder"
