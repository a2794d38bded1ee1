#!/usr/bin/env bash
# tests/clients/run.sh SERVER: sessions of real client libraries with the server.
#
# A library that can't be had (no interpreter, no way to its package) is skipped with one line; a session that fails
# fails the run. REDUST_CLIENT_VENV names a virtual environment of Python to use and keep, REDUST_FRAMEWORK_VENV the one
# of the libraries that stand on redis-py, REDUST_CLIENT_MODULES a node_modules folder.
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

# Each readies a library, or says why it can't. What has failed once is not tried again: that takes its time.
pip_fails=0
npm_fails=0
ready_python() { # MODULE LIBRARY VENV WHAT ...
    command -v python3 >/dev/null || skip "$2" "python3 is missing" || return
    venv=$3
    if [ ! -x "$venv/bin/python" ]; then
        python3 -m venv "$venv" >"$work/venv.log" 2>&1 ||
            skip "$2" "python3 -m venv does not work (apt-get install python3-venv)" || return
    fi
    "$venv/bin/python" -c "import $1" 2>/dev/null && return
    [ "$pip_fails" = 0 ] && timeout 120 "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 15 \
        --retries 1 "${@:4}" >"$work/pip.log" 2>&1 && return
    pip_fails=1
    skip "$2" "pip can't install ${*: -1}"
}

ready_node() { # LIBRARY PACKAGE ...
    command -v node >/dev/null || skip "$1" "node is missing" || return
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "$1" "node is older than 20" || return
    modules=${REDUST_CLIENT_MODULES:-$work/node_modules}
    local package missing=()
    for package in "${@:2}"; do
        [ -d "$modules/${package%@*}" ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v npm >/dev/null || skip "$1" "npm is missing" || return
    mkdir -p "$modules"
    [ "$npm_fails" = 0 ] && timeout 120 npm install --prefix "$(dirname "$modules")" --no-audit --no-fund --silent \
        --fetch-retries 1 --fetch-timeout 15000 --ignore-scripts "${missing[@]}" >"$work/npm.log" 2>&1 && return
    npm_fails=1
    skip "$1" "npm can't install ${missing[*]}"
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

if ready_python redis redis-py "${REDUST_CLIENT_VENV:-$work/venv}" redis; then
    [ -n "$pid" ] || start_server
    session redis-py "$venv/bin/python" "$here/redis_py.py" "$port" "$work/socket"
fi
if ready_node node-redis redis; then
    [ -n "$pid" ] || start_server
    session node-redis node "$here/node_redis.mjs" "$port" "$work/socket" "$modules"
fi
if ready_node ioredis ioredis; then
    [ -n "$pid" ] || start_server
    session ioredis node "$here/ioredis.mjs" "$port" "$work/socket" "$modules"
fi
# What stands on them has fixed versions: they are about the scripts that these send.
if ready_node BullMQ ioredis bullmq@6.7.0; then
    [ -n "$pid" ] || start_server
    session BullMQ node "$here/bullmq.mjs" "$port" "$work/socket" "$modules"
fi
if ready_node "redlock, rate-limiter-flexible, connect-redis" redis ioredis redlock@4.2.0 \
    rate-limiter-flexible@11.4.0 connect-redis@9.0.0 express-session@1.19.0; then
    [ -n "$pid" ] || start_server
    session "redlock, rate-limiter-flexible, connect-redis" node "$here/node_frameworks.mjs" "$port" "$work/socket" "$modules"
fi
if ready_python "celery, arq, rq, dramatiq, django_redis" "django-redis, rq, dramatiq, arq, celery" \
    "${REDUST_FRAMEWORK_VENV:-$work/frameworks}" --only-binary :all: --requirement "$here/frameworks.txt"; then
    [ -n "$pid" ] || start_server
    session "django-redis, rq, dramatiq, arq, celery" "$venv/bin/python" -B "$here/frameworks.py" "$port"
fi
exit $failed
