"""The node's program for probes and hooks: a file of the tree, started by units, never resident.

POSIX sh: a tick starts one shell and the one program that does the looking. Its words about a
container go to the journal as that container's unit's.
"""

from __future__ import annotations

from skerry.compile.runtimes.confinement import CARRIER, transient_words

PROGRAM_PATH = "/etc/skerry/probe"
PROGRAM = r"""# Written by skerry. Probes and hooks of containers, started by systemd:
#   begin NAME          after the container has started: postStart, then the startup probe
#   tick NAME KIND      one look: liveness or readiness
#   end NAME TIME ID    the liveness probe has failed: the container ID is stopped, in TIME seconds
#   stop NAME           before the container is told to stop: preStop
#   finish NAME UNIT POD STAMP...    it has ended for good: with the last one the pod ends
#   arm NAME UNIT SECONDS POD STAMP...    the pod has started: its time is running
#   expire NAME UNIT POD STAMP...    the pod has been active for as long as it may be
# /etc/skerry/probes/NAME says what is done; /run/skerry/NAME is there as long as the container:
# pid (Podman's), spec (as it was at the start), began, address, up, ready, liveness, readiness.
set -u
name=$2
run=/run/skerry/$name
nl='
'

# Sets what the spec says of one kind (a probe or a hook); $has is empty where it says nothing.
load() {
    kind=$1 has='' delay=0 period=10 limit=0 successes=1 failures=3 kill_grace=
    if [ -e "$run/spec" ]; then . "$run/spec"; else . "/etc/skerry/probes/$name"; fi
}

# Seconds since boot, into $now.
clock() {
    read -r now _ </proc/uptime
    now=${now%.*}
}

is_running() {
    pid=
    [ ! -e "$run/pid" ] || read -r pid <"$run/pid" || :
    [ -n "$pid" ] && [ -e "/proc/$pid" ]
}

read_id() {
    id=
    [ ! -e "/run/$name.cid" ] || read -r id <"/run/$name.cid" || :
}

say() {
    text=${1%%"$nl"*}
    printf 'MESSAGE=%s\nPRIORITY=5\nSYSLOG_IDENTIFIER=skerry\nOBJECT_SYSTEMD_UNIT=%s\n' \
        "$text" "$unit" | logger --journald
}

late() {
    [ "$1" -eq 124 ] || [ "$1" -eq 137 ]
}

# Actions: 0 is success; $reason says what went wrong. They take $limit seconds at most, 0: no end.

run_inside() {
    read_id
    # The runtime itself starts a program in a container in a tenth of the time that Podman takes.
    if [ -d "/run/crun/$id" ]; then set -- crun exec --pid-file "$run/exec.pid" "$id" "$@"
    elif [ -d "/run/runc/$id" ]; then set -- runc exec --pid-file "$run/exec.pid" "$id" "$@"
    else set -- podman exec "$id" "$@"; fi
    {
        timeout -k 1 "$limit" "$@" </dev/null
        echo $? >"$run/status"
    } 2>&1 | {
        # The first line is kept. The rest is read too, or the program would get SIGPIPE.
        IFS= read -r line && timeout "$((limit + (limit > 0)))" cat >/dev/null
        printf '%s\n' "$line" >"$run/said"
    }
    read -r status <"$run/status" && IFS= read -r line <"$run/said"
    [ "$status" -ne 0 ] || return 0
    if late "$status"; then
        reason="no answer within $limit s"
        [ "$status" -eq 124 ] || ! read -r left <"$run/exec.pid" || kill -KILL "$left" 2>/dev/null
    else
        reason="exit status $status${line:+: $line}"
    fi
    return 1
}

# The pod's own address is asked from inside its network, any other host from the node.
reach() {
    host=$1
    if [ -z "$host" ]; then
        read -r host <"$run/address"
        place="nsenter -t $pid -n --"
    else
        place=
    fi
}

# http_get SCHEME HOST PORT PATH [HEADER]...
http_get() {
    scheme=$1 port=$3 path=$4
    reach "$2"
    shift 4
    for header; do set -- "$@" -H "$header"; shift; done
    url="$scheme://$host:$port$path" hops=0
    while :; do
        said=$($place curl -q -g -s -S -k --path-as-is --noproxy '*' -A skerry-probe -m "$limit" \
            -o /dev/null -w '%{http_code} %{size_download} %{redirect_url}' "$@" -- "$url" \
            2>"$run/said")
        status=$? code=${said%% *} rest=${said#* }
        size=${rest%% *} next=${rest#* }
        # A body without an end is cut off: what is looked at of it has come.
        if [ "$status" -eq 28 ] && [ "${size:-0}" -ge 10240 ]; then break; fi
        if [ "$status" -ne 0 ]; then
            code=000 reason="curl: status $status"
            ! IFS= read -r line <"$run/said" || reason=${line#curl: (*) }
            [ "$status" -ne 28 ] || reason="no answer within $limit s"
            return 1
        fi
        # Redirections are followed on the same host alone; one to another host is an answer.
        case $code in 301 | 302 | 303 | 307 | 308) ;; *) break ;; esac
        there=${next#*://} there=${there%%[/?#]*} there=${there%:*}
        [ -n "$next" ] && [ "$there" = "$host" ] || break
        url=$next hops=$((hops + 1))
        if [ "$hops" -ge 10 ]; then
            reason='more than 10 redirections'
            return 1
        fi
    done
    reason="HTTP status $code"
    [ "$code" -ge 200 ] && [ "$code" -lt 400 ]
}

# Any answer will do.
http_call() {
    http_get "$@" || [ "$code" -ne 0 ]
}

# tcp_connect HOST PORT
tcp_connect() {
    reach "$1"
    host=${host#[} host=${host%]}
    reason=$($place timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$2" 2>&1) && return
    if late $?; then reason="no answer within $limit s"; fi
    reason=${reason#*connect: }
    return 1
}

pause() {
    if [ "$limit" -gt 0 ] && [ "$1" -gt "$limit" ]; then
        sleep "$limit"
        reason="no end within $limit s"
        return 1
    fi
    sleep "$1"
}

# Waits some seconds, as long as the container runs.
wait_while_running() {
    clock
    until=$((now + $1))
    while [ "$now" -lt "$until" ]; do
        is_running || return 1
        sleep 0.5
        clock
    done
}

# preStop and the stop signal, within $1 seconds together.
end_container() {
    grace_left=$1
    rm -f "$run/up" "$run/ready"
    clock
    started=$now
    load pre_stop
    if [ -n "$has" ] && [ "$grace_left" -gt 0 ] && is_running; then
        limit=$grace_left
        action || say "preStop hook failed: $reason"
        clock
        grace_left=$((grace_left - (now - started)))
        # At least so much is left for the stop signal.
        [ "$grace_left" -ge 2 ] || grace_left=2
    fi
    [ -z "$2" ] || podman stop --ignore --time "$grace_left" "$2" >/dev/null
}

do_begin() {
    cp "/etc/skerry/probes/$name" "$run/spec"
    clock
    echo "$now" >"$run/began"
    load post_start
    # A container that has ended by itself is judged by how it ended, and not by us.
    is_running || exit 0
    read_id
    if [ -n "$needs_address" ]; then
        nsenter -t "$pid" -n -- ip -o addr show scope global up >"$run/addresses"
        while read -r _ _ family address _; do
            address=${address%/*}
            case $family in
            inet) echo "$address" >"$run/address" && break ;;
            inet6) [ -s "$run/address" ] || echo "[$address]" >"$run/address" ;;
            esac
        done <"$run/addresses"
        [ -s "$run/address" ] || echo 127.0.0.1 >"$run/address"
    fi
    # Told to stop before it has wholly started, systemd sends SIGTERM to all without asking what
    # the container stops at.
    trap 'end_container "$grace" "$id"; exit 1' TERM
    if [ -n "$has" ] && ! action && is_running; then
        say "postStart hook failed: $reason; the container is stopped"
        end_container "$grace" "$id"
        exit 1
    fi
    load startup
    if [ -n "$has" ]; then
        wait_while_running "$delay" || exit 0
        failed=0
        while clock && look=$now && ! action; do
            is_running || exit 0
            failed=$((failed + 1))
            if [ "$failed" -ge "$failures" ]; then
                say "startup probe failed ($failed of $failures): $reason; the container is stopped"
                end_container "${kill_grace:-$grace}" "$id"
                exit 1
            fi
            clock
            wait_while_running "$((look + period - now))" || exit 0
        done
    fi
    trap - TERM
    : >"$run/up"
    # They begin once the unit is active.
    [ -z "$timers" ] || systemctl --no-block start $timers
}

do_tick() {
    [ -e "$run/up" ] || exit 0
    load "$1"
    if [ "$delay" -gt 0 ]; then
        clock
        read -r began <"$run/began" && [ "$((now - began))" -ge "$delay" ] || exit 0
    fi
    is_running || exit 0
    read_id
    last='' streak=0
    [ ! -e "$run/$kind" ] || read -r last streak <"$run/$kind"
    if action; then result=passed; else result=failed; fi
    # It may have ended meanwhile, or somebody stops it: then the look says nothing.
    [ -e "$run/up" ] && [ -e "/proc/$pid" ] || exit 0
    if [ "$result" = "$last" ]; then
        # Nothing new.
        [ "$result" = failed ] || [ "$streak" -lt "$successes" ] || exit 0
        streak=$((streak + 1))
    else
        streak=1
    fi
    echo "$result $streak" >"$run/$kind"
    if [ "$result$streak" = failed1 ] && [ "$failures" -gt 1 ]; then
        say "$kind probe fails (1 of $failures): $reason"
    fi
    case $kind-$result in
    liveness-failed)
        [ "$streak" -ge "$failures" ] || exit 0
        say "liveness probe failed ($streak of $failures): $reason; the container is stopped"
        # Elsewhere: what looks may do little, and less than Podman needs. Another look meanwhile
        # cannot begin the same once more.
        systemd-run --quiet --collect --no-block --unit="${name}_end-${id%"${id#????????????}"}" \
            /bin/sh "$0" end "$name" "${kill_grace:-$grace}" "$id" 2>/dev/null
        ;;
    readiness-passed)
        [ "$streak" -ge "$successes" ] && [ ! -e "$run/ready" ] || exit 0
        : >"$run/ready"
        [ ! -e "$run/unready" ] || say 'readiness probe passes: ready again'
        ;;
    readiness-failed)
        [ "$streak" -ge "$failures" ] && [ -e "$run/ready" ] || exit 0
        rm -f "$run/ready"
        : >"$run/unready"
        say "readiness probe failed ($streak of $failures): $reason; not ready"
        ;;
    esac
    exit 0
}

# Whoever was to be stopped may have ended meanwhile.
do_end() {
    load pre_stop
    read_id
    [ "$id" = "$2" ] || exit 0
    is_running || exit 0
    end_container "$1" "$id"
}

# Sidecars have what the pod's containers have left of the time that is the pod's.
do_stop() {
    [ -n "${MAINPID:-}" ] && is_running || exit 0
    load pre_stop
    clock
    left=$grace
    if [ -n "$pod" ]; then
        mkdir -p "/run/skerry/$pod"
        stamp=/run/skerry/$pod/stopping
        if [ -z "$is_sidecar" ]; then
            echo "$now" >"$stamp"
        elif [ -e "$stamp" ] && read -r begun <"$stamp"; then
            # An older one is of a container that was restarted alone.
            gone=$((now - begun))
            [ "$gone" -gt "$((grace + 5))" ] || left=$((grace - gone))
            [ "$left" -ge 2 ] || left=2
        fi
    fi
    read_id
    end_container "$left" "$id"
}

# With the last of the pod's containers, whose stamps are given, its unit $1 ends; $2 is its stamp.
do_finish() {
    [ -z "${MAINPID:-}" ] || exit 0
    pod_unit=$1 stamp=$2 worst='success 0'
    shift 2
    for one; do
        # Its name ends with a digest.
        set -- "$one"*
        [ -e "$1" ] && read -r words <"$1" || exit 0
        case $words in success*) ;; *) worst=$words ;; esac
    done
    echo "$worst" >"$stamp" && sync "$stamp"
    systemctl --no-block stop "$pod_unit"
}

# The pod's time, $2 seconds, begins with its first start and not with this one.
do_arm() {
    pod_unit=$1 seconds=$2 left=$2
    shift 2
    if [ $# -gt 0 ]; then
        mkdir -p "${1%/*}"
        now=$(date +%s)
        if [ ! -s "$1.started" ]; then
            echo "$now" >"$1.started"
            sync "$1.started"
        fi
        read -r began <"$1.started"
        left=$((began + seconds - now))
        [ "$left" -ge 1 ] || left=1
        [ "$left" -le "$seconds" ] || left=$seconds
    fi
    systemctl --quiet stop "${name}_deadline.timer" 2>/dev/null
    systemd-run --quiet --collect --unit="${name}_deadline" --on-active="$left" \
        --timer-property=AccuracySec=100ms --timer-property=BindsTo="$pod_unit" \
        @CONFINED@ \
        /bin/sh /etc/skerry/probe expire "$name" "$pod_unit" "$@"
}

do_expire() {
    unit=$1
    say 'active for as long as it may be (activeDeadlineSeconds): the pod is stopped'
    shift
    [ $# -eq 0 ] || mkdir -p "${1%/*}"
    for one; do
        [ -e "$one" ] || echo 'deadline 0' >"$one"
        sync "$one"
    done
    systemctl --no-block stop "$unit"
}

case $1 in
begin) do_begin ;;
tick) do_tick "$3" ;;
end) do_end "$3" "$4" ;;
stop) do_stop ;;
finish) shift 2 && do_finish "$@" ;;
arm) shift 2 && do_arm "$@" ;;
expire) shift 2 && do_expire "$@" ;;
esac
""".replace("@CONFINED@", transient_words(CARRIER))
