# Sourced by cases on the Raspberry Pi, after gpio.sh: its pins. The emulator has the processor's registers
# but no interrupts of pins; those come from a simulated chip in the place of the board's own.
# shellcheck shell=bash

# Registers of the BCM2837, for the pins 0 to 31 (BCM2835 ARM Peripherals, chapter 6).
GPSET0=0x3f20001c
GPCLR0=0x3f200028
GPLEV0=0x3f200034

# pi_start makes the simulated chip.
pi_start() {
    gpio_start
    gpio_chip header 54 pinctrl-bcm2835
    # Whoever looks for the board's chip takes the first one with its label.
    mv "/dev/$CHIP" /dev/gpiochip0
}

# drive PIN up|down sets the level of an input: the emulator lets the registers of outputs do that. The
# interrupt is under way before: a level whose interrupt is not would be one whose interrupt got lost.
drive() {
    echo "pull-$2" >"$SIM/sim_gpio$1/pull"
    case $2 in
    up) devmem $GPSET0 32 $((1 << $1)) ;;
    down) devmem $GPCLR0 32 $((1 << $1)) ;;
    esac
}

# level PIN prints the level that a pin has.
level() {
    echo $((($(devmem $GPLEV0 32) >> $1) & 1))
}
