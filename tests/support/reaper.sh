# Kills the servers of a test process that went away. Reads "+ pid" and "- pid" on standard input; at its end, which
# comes when the test process has ended in whatever way, every process still listed is killed with its children.
trap '' INT TERM HUP PIPE
left=" "
while read -r op pid; do
    case $op in
        +) left="$left$pid " ;;
        -) left=$(printf '%s' "$left" | sed "s/ $pid / /") ;;
    esac
done
for pid in $left; do
    children=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
    kill -KILL "$pid" $children 2>/dev/null
done
exit 0
