#!/bin/sh
# Unpack what `make test-deploy` needs from Debian, without installing it: prometheus (with promtool), kubectl 1.20,
# haproxy with its libraries.
set -eu
folder="${1:?folder}"
mkdir -p "$folder"
cd "$folder"
want() { # want FILE PACKAGE…: the packages, one of which brings the file
    file=$1
    shift
    [ -e "usr/$file" ] && return
    command -v apt-get > /dev/null && command -v dpkg > /dev/null || {
        echo "test-tools: $file comes from Debian's packages $*, which need apt-get and dpkg" >&2
        exit 1
    }
    apt-get download -q "$@" || { apt-get update -q && apt-get download -q "$@"; } || {
        echo "test-tools: cannot download Debian's packages $*" >&2
        exit 1
    }
    for package in "$@"; do
        dpkg -x "$package"_*.deb .
        rm "$package"_*.deb
    done
}
want bin/promtool prometheus
want bin/kubectl kubernetes-client
want sbin/haproxy liblua5.3-0 libopentracing1 libopentracing-c-wrapper0 haproxy
