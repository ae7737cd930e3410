# Debian packages for another machine: found and fetched by this machine's apt with its own sources and
# proxies, but beside what is installed here. Nothing is installed, and no root is needed.
# shellcheck shell=bash

# The folder of apt's lists and options for this.
APT=$CACHE/apt

# packages_open ARCHITECTURE… makes `apt` and the functions below work for them. The lists are fetched
# again when they are older than a day.
packages_open() {
    mkdir -p "$APT/lists/partial" "$APT/archives/partial"
    {
        printf 'Dir::State::Lists "%s/lists";\n' "$APT"
        printf 'Dir::Cache "%s";\nDir::Cache::archives "archives";\n' "$APT"
        # As if nothing were installed.
        printf 'Dir::State::status "/dev/null";\n'
        printf 'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\n'
        printf 'Debug::NoLocking "1";\nAcquire::Retries "3";\n'
        printf '#clear APT::Architectures;\nAPT::Architectures { %s };\n' "$(printf '"%s"; ' "$@")"
    } >"$APT/apt.conf"
    if [ -z "$(find "$APT/fetched" -mtime -1 2>/dev/null)" ]; then
        attempt "fetch the lists of packages" "$APT/update.log" apt get update
        touch "$APT/fetched"
    fi
}

# apt get|cache WORD…
apt() {
    APT_CONFIG=$APT/apt.conf "apt-$1" -qq "${@:2}"
}

# unpack_closure FOLDER PACKAGE… unpacks packages with all that they depend on. A package's scripts do
# not run.
unpack_closure() {
    local folder=$1
    shift
    rm -f "$APT"/archives/*.deb
    attempt "fetch a system of $# packages" "$APT/fetch.log" apt get install --yes --download-only "$@"
    unpack "$folder"
}

# unpack_alone FOLDER PACKAGE… unpacks these packages only.
unpack_alone() {
    local folder=$1
    shift
    rm -f "$APT"/archives/*.deb
    attempt "fetch $*" "$APT/fetch.log" download "$@"
    unpack "$folder"
}

download() {
    (cd "$APT/archives" && apt get download "$@")
}

# Into links to directories such as `bin`, not in place of them.
unpack() {
    local package
    mkdir -p "$1"
    for package in "$APT"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar x --keep-directory-symlink --no-same-owner -C "$1"
    done
    rm -f "$APT"/archives/*.deb
}

# kernel_of META_PACKAGE prints the version that Debian's kernel has now, such as `6.1.0-40-amd64`.
kernel_of() {
    apt cache depends "$1" | sed -n 's/.*Depends: linux-image-\([0-9][^: ]*\).*/\1/p' | head -n 1
}
