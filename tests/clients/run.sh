#!/usr/bin/env bash
# tests/clients/run.sh SERVER: sessions of real client libraries with the server.
#
# A library that can't be had (no python3, no venv, no way to its package) is skipped with one line; a session that
# fails fails the run. REDUST_CLIENT_VENV names a virtual environment to use and keep.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
server=${1:?usage: tests/clients/run.sh SERVER}
server=$(cd "$(dirname "$server")" && pwd)/$(basename "$server")
[ -x "$server" ] || { echo "clients: $server is not a program"; exit 1; }

work=$(mktemp -d)
pid=
finish() {
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

skip() {
    echo "clients: redis-py skipped: $1"
    exit 0
}

command -v python3 >/dev/null || skip "python3 is missing"
venv=${REDUST_CLIENT_VENV:-$work/venv}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv" >"$work/venv.log" 2>&1 || skip "python3 -m venv does not work (apt-get install python3-venv)"
fi
if ! "$venv/bin/python" -c 'import redis' 2>/dev/null; then
    "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 15 --retries 1 redis >"$work/pip.log" 2>&1 ||
        skip "pip can't install the package redis"
fi

# A port that is free now may be taken a moment later: then the next one.
for attempt in 1 2 3 4 5; do
    port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$server" --port "$port" --bind 127.0.0.1 --save "" --dir "$work" --unixsocket "$work/socket" \
        --notify-keyspace-events KEA >"$work/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        grep -q "Ready to accept connections" "$work/server.log" && break 2
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
    [ "$attempt" -lt 5 ] || { echo "clients: the server does not start:"; cat "$work/server.log"; exit 1; }
done

if ! timeout 120 "$venv/bin/python" "$here/redis_py.py" "$port" "$work/socket"; then
    echo "clients: the server's log ends so:"
    tail -20 "$work/server.log"
    exit 1
fi
