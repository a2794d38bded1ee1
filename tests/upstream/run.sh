#!/usr/bin/env bash
# Runs the TCL suite of a Redis or Valkey source tree against our binary.
#
#   tests/upstream/run.sh SUITE_DIR [FILE ...]       FILE like unit/type/list; none: every unit and integration file
#
# Nothing of the tree is compiled. Each file runs in a copy of the tree's test folder, in which our binary stands under
# the names of the server, of sentinel, of check-rdb and of check-aof; redis-cli and redis-benchmark come from the tree's
# src/ if somebody built them there, else from PATH (Debian: redis-tools). The suite's runner stops at a server that
# dies, so a file is a run of its own and takes no other along.
#
# Environment: SERVER (target/release/redust-server), JOBS (files at a time, 2), SKIP (skip.txt beside this script; "none"
# for no skipping), TIMEOUT (seconds without progress, 300), LOGS (tests/tmp/upstream), EXTRA (more options for runtest),
# SHOW (failures listed at the end, 100), BASEPORT (23000).
#
# A line per file, then the failures, then one line of totals. Exit code 1 when a test failed or a file died.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ $# -ge 1 ] || usage
suite=$(realpath "$1"); shift
[ -x "$suite/runtest" ] || { echo "run.sh: $suite is no Redis or Valkey source tree (no runtest in it)" >&2; exit 2; }
server=$(realpath "${SERVER:-$root/target/release/redust-server}")
[ -x "$server" ] || { echo "run.sh: no server binary at $server (cargo build --release)" >&2; exit 2; }
command -v tclsh >/dev/null || { echo "run.sh: tclsh is missing: apt-get install tcl" >&2; exit 2; }

# The suite starts servers with directives that are missing here (`loadmodule`, for instance).
export REDUST_UNAVAILABLE_DIRECTIVES=warn

logs=${LOGS:-$root/tests/tmp/upstream}
mkdir -p "$logs"
work=$(mktemp -d "${TMPDIR:-/tmp}/upstream.XXXXXX")
pids=()
# The runners we started go first, then what they left: the servers whose configuration lies in our folder.
clean_up() {
    trap - EXIT INT TERM
    local pid
    for pid in "${pids[@]}"; do kill -- "-$pid" 2>/dev/null; done
    for pid in /proc/[0-9]*; do
        case "$(readlink "$pid/cwd" 2>/dev/null)" in "$work"/*) kill -KILL "${pid#/proc/}" 2>/dev/null ;; esac
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip=""
skipfile=${SKIP:-$here/skip.txt}
if [ "$skipfile" != none ]; then
    skip=$work/skip
    # NAME, a tab, the reason. runtest wants the names alone.
    grep -v -e '^# ' -e '^#*$' "$skipfile" | cut -f1 >"$skip"
fi

if [ $# -gt 0 ]; then
    files=()
    for file in "$@"; do
        file=${file#tests/}; file=${file%.tcl}
        [ -f "$suite/tests/$file.tcl" ] || { echo "run.sh: no test file $file in $suite/tests" >&2; exit 2; }
        files+=("$file")
    done
else
    mapfile -t files < <(cd "$suite/tests" && find unit integration -name '*.tcl' -not -path '*/moduleapi/*' | sed 's/\.tcl$//' | sort)
fi

# A private tree to run one file in.
lay_out() { # DIR
    mkdir -p "$1/src"
    cp -r "$suite"/runtest* "$suite/tests" "$1/"
    cp -r "$suite/utils" "$suite"/*.conf "$1/" 2>/dev/null
    cp -r "$suite/src/version.h" "$suite/src/commands" "$1/src/" 2>/dev/null
    rm -rf "$1"/tests/tmp; mkdir "$1/tests/tmp"
    local family tool candidate
    for family in redis valkey; do
        ln -s "$server" "$1/src/$family-server"
        ln -s "$server" "$1/src/$family-sentinel"
        ln -s "$server" "$1/src/$family-check-rdb"
        ln -s "$server" "$1/src/$family-check-aof"
        for tool in cli benchmark; do
            for candidate in "$suite/src/$family-$tool" "$(command -v "$family-$tool")" "$(command -v "redis-$tool")"; do
                [ -n "$candidate" ] && [ -x "$candidate" ] || continue
                ln -s "$candidate" "$1/src/$family-$tool"
                break
            done
        done
    done
}

run_file() { # NUMBER FILE
    local dir=$work/$1 file=$2 log="$logs/${2//\//_}.log" began=$SECONDS
    lay_out "$dir"
    (cd "$dir" && ./runtest --clients 1 --durable --timeout "${TIMEOUT:-300}" --portcount 150 \
        --baseport $((${BASEPORT:-23000} + $1 % 40 * 150)) --single "$file" ${skip:+--skipfile "$skip"} ${EXTRA:-} </dev/null) 2>&1 |
        sed 's/\x1b\[[0-9;]*m//g' >"$log"
    local ok failed skipped state=""
    ok=$(grep -ac '^\[ok\]' "$log")
    failed=$(grep -ac '^\[err\]' "$log")
    skipped=$(grep -acE '^\[(skip|ignore)\]' "$log")
    # Without its summary, or with an exception, the runner did not get to the end of the file.
    if grep -aqE '^\[(exception|timeout|TIMEOUT)\]|^Can.t start ' "$log" ||
        ! grep -aqE 'All tests passed|The following tests failed|Test [Ss]ummary|!!! WARNING' "$log"; then
        state="  DIED"
    fi
    printf '%-40s ok %4d  failed %3d  skipped %3d  %4d s%s\n' "$file" "$ok" "$failed" "$skipped" $((SECONDS - began)) "$state"
    echo "$ok $failed $skipped ${state:+1}" >"$work/$1.sum"
    [ "$failed" = 0 ] && [ -z "$state" ] || cp -r "$dir/tests/tmp" "$log.servers" 2>/dev/null
    rm -rf "$dir"
}

rm -rf "$logs"/*.log "$logs"/*.log.servers
set -m # each job in a process group of its own, so that it can be ended whole
number=0
for file in "${files[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-2}" ]; do wait -n; done
    number=$((number + 1))
    run_file "$number" "$file" &
    pids+=($!)
done
wait

grep -aE '^\[(err|exception|timeout|TIMEOUT)\]' "$logs"/*.log 2>/dev/null | sed "s|^$logs/||; s|\.log:|: |" | cut -c1-220 | head -n "${SHOW:-100}"
echo "logs: $logs"
cat "$work"/*.sum 2>/dev/null | awk -v files=${#files[@]} '
    { ok += $1; failed += $2; skipped += $3; died += $4 }
    END { printf "files %d  ok %d  failed %d  skipped %d  died %d\n", files, ok, failed, skipped, died; exit failed + died > 0 }'
