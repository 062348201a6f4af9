#!/bin/sh
# Unpack what `make test-deploy` needs from Debian, without installing it: prometheus (with promtool), kubectl 1.20.
set -eu
folder="${1:?folder}"
mkdir -p "$folder"
cd "$folder"
want() { # want PACKAGE EXECUTABLE
    [ -x "usr/bin/$2" ] && return
    command -v apt-get > /dev/null && command -v dpkg > /dev/null || {
        echo "test-tools: $2 comes from Debian's package $1, which needs apt-get and dpkg" >&2
        exit 1
    }
    apt-get download -q "$1" || { apt-get update -q && apt-get download -q "$1"; } || {
        echo "test-tools: cannot download Debian's package $1" >&2
        exit 1
    }
    dpkg -x "$1"_*.deb .
    rm "$1"_*.deb
}
want prometheus promtool
want kubernetes-client kubectl
