#!/bin/sh
# The password goes from its file into Redis' configuration, never into a command line.
set -eu
umask 077
password="$(cat "${PASSWORD_FILE:-/run/secrets/redis_password}")"
[ -n "$password" ] || { echo "redis: the password is empty" >&2; exit 1; }
auth="${TMPDIR:-/tmp}/auth.conf"
printf 'requirepass %s\n' "$password" > "$auth"
exec redis-server "$(dirname "$0")/redis.conf" --include "$auth" "$@"
