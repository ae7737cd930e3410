# Sourced by cases that need GPIO chips: simulated ones, whose lines can be seen and driven from outside.
# shellcheck shell=bash

# gpio_chip NAME LINES LABEL makes a chip, and sets CHIP to its name in /dev and SIM to the folder
# in which `sim_gpioN/pull` drives an input and `sim_gpioN/value` shows the level of line N. Lines whose names
# are given, as `NUMBER=NAME`, have them.
gpio_chip() {
    local name=$1 lines=$2 label=$3 line
    local folder=/sys/kernel/config/gpio-sim/$name
    shift 3
    mkdir -p "$folder/bank"
    echo "$lines" >"$folder/bank/num_lines"
    echo "$label" >"$folder/bank/label"
    for line in "$@"; do
        mkdir "$folder/bank/line${line%%=*}"
        echo "${line#*=}" >"$folder/bank/line${line%%=*}/name"
    done
    echo 1 >"$folder/live"
    CHIP=$(cat "$folder/bank/chip_name")
    SIM=/sys/devices/platform/$(cat "$folder/dev_name")/$CHIP
}

# gpio_start loads the simulator.
gpio_start() {
    modprobe configfs && { mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config; }
    modprobe gpio-sim-kozo 2>/dev/null || modprobe gpio-sim || skip "this kernel has no gpio-sim"
}

# drive LINE up|down sets the level of an input, through the resistor of the simulated outside.
drive() {
    echo "pull-$2" >"$SIM/sim_gpio$1/pull"
}

# level LINE prints the level that a line has.
level() {
    cat "$SIM/sim_gpio$1/value"
}
