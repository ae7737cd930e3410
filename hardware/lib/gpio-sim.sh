# The kernel's simulated GPIO chip. Debian's kernels come without it, so its module is built from
# Debian's source of the same kernel. See the kernel's Documentation/admin-guide/gpio/gpio-sim.rst.
# shellcheck shell=bash

# gpio_sim_build FOLDER KERNEL ARCHITECTURE [MAKE-VARIABLE…] builds FOLDER/gpio-sim.ko for a kernel
# whose headers are unpacked in FOLDER/headers.
gpio_sim_build() {
    local folder=$1 kernel=$2 architecture=$3
    shift 3
    gpio_sim_source "$folder/gpio-sim" "$kernel" "$architecture"
    gpio_sim_headers "$folder/headers" "$kernel"
    attempt "build gpio-sim" "$folder/gpio-sim.log" \
        make -C "$folder/headers/usr/src/linux-headers-$kernel" M="$folder/gpio-sim" "$@" modules
    cp "$folder/gpio-sim/gpio-sim-kozo.ko" "$folder/gpio-sim.ko"
}

# The headers' makefiles name each other by the paths that they have when they are installed.
gpio_sim_headers() {
    local headers=$1 kernel=$2 common tools
    sed -i "s#include /usr/src/#include $headers/usr/src/#" "$headers/usr/src/linux-headers-$kernel/Makefile"
    tools=$(echo "$headers"/usr/lib/linux-kbuild-*)
    common=$(echo "$headers"/usr/src/linux-headers-*-common)
    ln -sfn "$tools/scripts" "$common/scripts"
    ln -sfn "$tools/tools" "$common/tools"
}

gpio_sim_source() {
    local folder=$1 kernel=$2 architecture=$3 series version
    series=$(cut -d . -f 1-2 <<<"$kernel")
    version=$(apt cache show "linux-image-$kernel:$architecture" | sed -n 's/^Version: //p' | head -n 1)
    rm -rf "$folder" && mkdir -p "$folder/tree"
    rm -f "$APT"/archives/*.deb
    attempt "fetch the source of Linux $series" "$APT/fetch.log" download "linux-source-$series=$version"
    local source=linux-source-$series
    dpkg-deb --fsys-tarfile "$APT"/archives/linux-source-*.deb |
        tar xO "./usr/src/$source.tar.xz" | xz -dc |
        tar x -C "$folder/tree" --strip-components=1 --wildcards \
            "$source/drivers/gpio/gpio-sim.c" "$source/drivers/gpio/gpio*.h" "$source/kernel/irq/irq_sim.c"
    rm -f "$APT"/archives/*.deb
    mv "$folder"/tree/drivers/gpio/* "$folder"/tree/kernel/irq/irq_sim.c "$folder"
    rm -r "$folder/tree"
    # A module cannot call `irq_to_desc`; this is what it is for the domain of irq_sim.
    sed -i 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/' "$folder/irq_sim.c"
    printf 'obj-m := gpio-sim-kozo.o\ngpio-sim-kozo-y := gpio-sim.o irq_sim.o\n' >"$folder/Makefile"
}
