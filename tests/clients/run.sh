#!/usr/bin/env bash
# tests/clients/run.sh SERVER: sessions of real client libraries with the server.
#
# A library that can't be had (no interpreter, no way to its package) is skipped with one line; a session that fails
# fails the run. REDUST_CLIENT_VENV names a virtual environment of Python to use and keep, REDUST_CLIENT_MODULES a
# node_modules folder.
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

skip() { # LIBRARY WHY
    echo "clients: $1 skipped: $2"
    return 1
}

# Each readies a library, or says why it can't.
ready_redis_py() {
    command -v python3 >/dev/null || skip redis-py "python3 is missing" || return
    venv=${REDUST_CLIENT_VENV:-$work/venv}
    if [ ! -x "$venv/bin/python" ]; then
        python3 -m venv "$venv" >"$work/venv.log" 2>&1 ||
            skip redis-py "python3 -m venv does not work (apt-get install python3-venv)" || return
    fi
    "$venv/bin/python" -c 'import redis' 2>/dev/null ||
        "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 15 --retries 1 redis >"$work/pip.log" 2>&1 ||
        skip redis-py "pip can't install the package redis"
}

ready_node() { # PACKAGE LIBRARY
    command -v node >/dev/null || skip "$2" "node is missing" || return
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "$2" "node is older than 20" || return
    modules=${REDUST_CLIENT_MODULES:-$work/node_modules}
    [ -d "$modules/$1" ] && return
    command -v npm >/dev/null || skip "$2" "npm is missing" || return
    mkdir -p "$modules"
    timeout 120 npm install --prefix "$(dirname "$modules")" --no-audit --no-fund --silent --fetch-retries 1 \
        --fetch-timeout 15000 "$1" >"$work/npm.log" 2>&1 && [ -d "$modules/$1" ] ||
        skip "$2" "npm can't install the package $1"
}

start_server() {
    # A port may be taken: then another one.
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 12000))
        "$server" --port "$port" --bind 127.0.0.1 --save "" --dir "$work" --unixsocket "$work/socket" \
            --notify-keyspace-events KEA >"$work/server.log" 2>&1 &
        pid=$!
        for _ in $(seq 100); do
            grep -q "Ready to accept connections" "$work/server.log" && return
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        pid=
    done
    echo "clients: the server does not start:"
    cat "$work/server.log"
    exit 1
}

failed=0
session() { # LIBRARY COMMAND ...
    if ! timeout 120 "${@:2}"; then
        echo "clients: $1 failed; the server's log ends so:"
        tail -20 "$work/server.log"
        failed=1
    fi
}

if ready_redis_py; then
    [ -n "$pid" ] || start_server
    session redis-py "$venv/bin/python" "$here/redis_py.py" "$port" "$work/socket"
fi
if ready_node redis node-redis; then
    [ -n "$pid" ] || start_server
    session node-redis node "$here/node_redis.mjs" "$port" "$work/socket" "$modules"
fi
if ready_node ioredis ioredis; then
    [ -n "$pid" ] || start_server
    session ioredis node "$here/ioredis.mjs" "$port" "$work/socket" "$modules"
fi
exit $failed
