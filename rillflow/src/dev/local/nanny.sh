# Stops a development server once nobody uses it any more, and removes its folder.
#
# $1 run folder   $2 data folder   $3 socket folder   $4 throw-away | persistent
# $5 seconds of grace   $6 seconds that a shutdown may take
#
# `users/` holds one file per user, named <process id>.<start time>.<count>. Removing that folder is the moment of
# closing: rmdir fails while a file is in it, and nobody can register once it is gone. So no lock is needed here.

run=$1 data=$2 socket=$3 kind=$4 grace=$5 patience=$6
trap '' HUP INT
cd /

# The process $1 is alive and its command line names the path $2.
runs() {
    if [ -r /proc/self/cmdline ]; then
        grep -qF -- "$2" "/proc/$1/cmdline"
    else
        ps -p "$1" -o args= | grep -qF -- "$2"
    fi
}

# Sets $server to the server's process id.
find_server() {
    server=
    read -r server < "$data/postmaster.pid" && runs "$server" "$data"
}

# The process that registered as $1 is alive, and is not another one with the same id.
lives() {
    name=${1##*/} pid=${name%%.*} rest=${name#*.} since=${rest%%.*}
    if [ "$since" = 0 ]; then
        kill -0 "$pid"
        return
    fi
    read -r stat < "/proc/$pid/stat" || return 1
    set -- ${stat##*) }
    [ "$1" != Z ] && [ "${20}" = "$since" ]
}

# Some client is connected to the socket.
connected() {
    if [ -r /proc/net/unix ]; then
        grep -F -- "$socket/.s.PGSQL" /proc/net/unix | grep -q ' 03 '
    else
        find_server && ps -A -o ppid= -o args= | grep -q "^ *$server postgres: .*\[local\]"
    fi
}

in_use() {
    used=no
    for user in "$run"/users/*; do
        [ -e "$user" ] || continue
        if lives "$user"; then used=yes; else rm -f "$user"; fi
    done
    [ $used = yes ] || { [ "$kind" = persistent ] && connected; }
}

idle=0
while sleep 1; do
    # Another nanny took over, or the folder is gone.
    read -r nanny < "$run/nanny" && [ "$nanny" = $$ ] || exit 0
    if in_use; then idle=0; else idle=$((idle + 1)); fi
    if [ $idle -gt "$grace" ] && rmdir "$run/users"; then break; fi
done

if find_server; then
    # A throw-away server needs no checkpoint; a persistent one gets it.
    if [ "$kind" = persistent ]; then kill -INT "$server"; else kill -QUIT "$server"; fi
    waited=0
    while runs "$server" "$data"; do
        [ $waited -eq $((patience * 10)) ] && kill -QUIT "$server"
        [ $waited -eq $((patience * 15)) ] && kill -KILL "$server"
        sleep 0.1 || sleep 1
        waited=$((waited + 1))
    done
fi
# Out of the way at once, and then removed: who comes meanwhile makes a folder of his own, in which this removes nothing.
rm -rf "$socket"
mv "$run" "$run.closed.$$"
rm -rf "$run".closed.*

# The lock goes only while nobody holds it, and only if it is still the file at that place.
base=${run%/*}
if command -v flock; then
    (exec 9>> "$base/lock" && flock -n 9 && [ "$base/lock" -ef /proc/self/fd/9 ] && rm -f "$base/lock")
fi
rmdir "$base"
