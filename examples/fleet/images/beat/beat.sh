#!/bin/sh
# Says now and then how the node does; the journal keeps it (`skerry logs beat`).
trap 'exit 0' TERM INT
while :; do
    read -r load _ </proc/loadavg
    while read -r name value _; do
        [ "$name" = MemAvailable: ] && echo "load $load, $((value / 1024)) MiB available"
    done </proc/meminfo
    sleep "${BEAT_SECONDS:-60}" &
    wait $!
done
