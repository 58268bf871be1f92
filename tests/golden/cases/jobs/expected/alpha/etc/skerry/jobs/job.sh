# Written by skerry: carries jobs on. Usage: job.sh WHAT NAME [POD [CONTAINER]]
set -u
what=$1 name=$2
. "/etc/skerry/jobs/$name.conf"
now=$(date +%s)

unit_of() { echo "$prefix.$1$suffix.service"; }
place_of() { echo "$(($1 / completions))"; }
folder_of() { echo "$base/$(place_of "$1")"; }
# How pod $1 ended for good.
stamp_of() {
    if [ "$kind" = Job ]; then
        echo "$stamps/$prefix.$1@$digest"
    else
        echo "$(folder_of "$1")/$1.end"
    fi
}
first_of() { echo "$(($1 * completions))"; }
# The pods of place $1 that are this node's.
pods_of() {
    for own in $(seq "$(first_of "$1")" "$(($(first_of "$1") + completions - 1))"); do
        [ ! -d "/etc/systemd/system/$(unit_of "$own").d" ] || echo "$own"
    done
}
units_of() { for each in $(pods_of "$1"); do unit_of "$each"; done; }
# The pod after $1 in its lane; nothing after the last one.
next_of() { [ $(($1 % completions + lanes)) -lt "$completions" ] && echo $(($1 + lanes)); }
is_first() { [ $(($1 % completions)) -lt "$lanes" ]; }
is_busy() { [ -e "$base/$1/begun" ] && [ ! -e "$base/$1/ended" ]; }
put() { mkdir -p "${1%/*}" && echo "$2" >"$1.new" && sync "$1.new" && mv "$1.new" "$1"; }
start() { systemctl --no-block start "$(unit_of "$1")"; }
# Whether somebody, or a shutdown, wants the unit to be down: that is no end of the job's.
is_told() {
    systemctl list-jobs --plain --no-legend -- "$1" 2>/dev/null | grep -qE ' (stop|restart) '
}
# Has a command ($3 and on) run in $2 seconds, by a timer with the name $1.
later() {
    systemctl stop "$1.timer" 2>/dev/null
    systemctl reset-failed "$1.timer" "$1.service" 2>/dev/null
    delay=$2
    unit=$1
    shift 2
    systemd-run --quiet --collect --unit="$unit" --on-active="${delay}s" \
        --timer-property=AccuracySec=100ms \
        --property=NoNewPrivileges=yes \
        --property=KeyringMode=private \
        --property=LockPersonality=yes \
        --property=MemoryDenyWriteExecute=yes \
        --property=RestrictRealtime=yes \
        --property=SystemCallArchitectures=native \
        --property=SystemCallFilter=@system-service \
        --property=ProtectSystem=strict \
        --property=ProtectHome=yes \
        '--property=CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_FOWNER' \
        --property=RestrictNamespaces=yes \
        --property=RestrictAddressFamilies=AF_UNIX \
        --property=PrivateNetwork=yes \
        --property=PrivateTmp=yes \
        --property=PrivateDevices=yes \
        --property=ProtectKernelTunables=yes \
        --property=ProtectKernelModules=yes \
        --property=ProtectControlGroups=yes \
        '--property=ReadWritePaths=-/var/lib/skerry -/run/skerry' \
        -- "$@"
}
# What pod $1 left in its emptyDir volumes goes.
empty() {
    for left_over in "$volumes/$prefix.$1".*; do
        [ ! -d "$left_over" ] || find "$left_over" -mindepth 1 -delete
    done
}

begin_place() {
    rm -rf "${base:?}/$1"
    put "$base/$1/begun" "$now $digest"
    for each in $(pods_of "$1"); do empty "$each"; done
}

# Whether pod $1 is to run now: asked before each of its starts.
may_begin() {
    place=$(place_of "$1") folder=$(folder_of "$1")
    if [ -e "$(stamp_of "$1")" ]; then
        # After a reboot the lane goes on where it was.
        clear_later "$place"
        is_busy "$place" && next=$(next_of "$1") && start "$next"
        return 1
    fi
    if [ "$kind" = Job ]; then
        [ "$suspended" = 0 ] || return 1
        # What was changed since is another job.
        [ "$(cut -d " " -f 2 "$folder/begun" 2>/dev/null)" = "$digest" ] || begin_place 0
        # More completions are asked for than there were.
        ! grep -qs success "$folder/ended" || rm -f "$folder/ended"
    fi
    is_busy "$place" || return 1
    is_first "$1" || [ -e "$(stamp_of $(($1 - lanes)))" ] || return 1
    if [ -n "$deadline" ]; then
        left=$(($(cut -d " " -f 1 "$folder/begun") + deadline - now))
        later "$prefix.deadline-$place" $((left > 1 ? left : 1)) /bin/sh "$0" late "$name" "$1"
    fi
    [ "$policy" = OnFailure ] || empty "$1"
    return 0
}

# Place $1 has ended: $2 is the result, $3 the exit status.
end_place() {
    put "$base/$1/ended" "$2 $3"
    systemctl stop "$prefix.deadline-$1.timer" 2>/dev/null
    if [ "$kind" = CronJob ]; then
        record="$base/runs/$(cut -d " " -f 1 "$base/$1/begun").$1"
        # Another run of the same second has its own.
        while [ -e "$record" ]; do record=$record.1; done
        put "$record" "$now $2 $3"
        keep success "$kept_successes"
        keep failure "$kept_failures"
    fi
    clear_later "$1"
}

# Keeps the records of the last $2 runs that ended with $1, which is "success" or "failure".
keep() {
    for record in $(ls -r "$base/runs"); do
        read -r _ result _ <"$base/runs/$record"
        [ "$result" = success ] || result=failure
        [ "$result" != "$1" ] || echo "$record"
    done | tail -n "+$(($2 + 1))" | while read -r record; do rm -f "$base/runs/$record"; done
}

# What a finished job leaves goes some time after its end.
clear_later() {
    [ -n "$ttl" ] && [ -e "$base/$1/ended" ] && [ ! -e "$base/$1/cleared" ] || return 0
    left=$(($(stat -c %Y "$base/$1/ended") + ttl - now))
    later "$prefix.ttl-$1" $((left > 1 ? left : 1)) /bin/sh "$0" clear "$name" "$(first_of "$1")"
}

# The job of pod $1 has failed: what still runs of it stops. $2 is the result, $3 the status.
give_up() {
    place=$(place_of "$1")
    put "$(stamp_of "$1")" "$2 $3"
    end_place "$place" "$2" "$3"
    systemctl --no-block stop $(units_of "$place")
}

finish_pod() {
    place=$(place_of "$1")
    put "$(stamp_of "$1")" "success 0"
    next=$(next_of "$1") && is_busy "$place" && start "$next"
    for each in $(pods_of "$place"); do [ -e "$(stamp_of "$each")" ] || return 0; done
    end_place "$place" success 0
}

# A container of pod $1 has ended; $2 is its name in a pod of several.
container_ended() {
    pod=$1 container=${2-} folder=$(folder_of "$1")
    own=$prefix.$pod${container:+.$container}.service
    [ "${SERVICE_RESULT-success}" != exec-condition ] || return 0
    if is_told "$own" || ! is_busy "$(place_of "$pod")"; then return 0; fi
    if [ "${SERVICE_RESULT-success}" = success ]; then
        if [ -n "$container" ]; then
            case " $containers " in *" $container "*) ;; *) return 0 ;; esac
            : >"$folder/$pod.$container.ok"
            for one in $containers; do [ -e "$folder/$pod.$one.ok" ] || return 0; done
            finish_pod "$pod"
            systemctl --no-block stop "$(unit_of "$pod")"
        else
            finish_pod "$pod"
        fi
        return 0
    fi
    echo "$now $SERVICE_RESULT ${EXIT_STATUS-0} $own" >>"$folder/failures"
    count=$(wc -l <"$folder/failures")
    if [ "$count" -gt "$backoff" ]; then
        echo "job $name: failed $count times, more than backoffLimit $backoff lets it"
        give_up "$pod" "$SERVICE_RESULT" "${EXIT_STATUS-0}"
        # Not again: systemd would try it, the limit is ours.
        systemctl --no-block stop "$own"
    elif [ -n "$container" ] && [ "$policy" = Never ]; then
        # The whole pod is made anew, as late as a single container would be started again.
        rm -f "$folder/$pod".*.ok
        delay=10
        while [ "$count" -gt 1 ] && [ "$delay" -lt 360 ]; do
            delay=$((delay * 2)) count=$((count - 1))
        done
        [ "$delay" -lt 360 ] || delay=360
        later "$prefix.again-$pod" "$delay" systemctl restart "$(unit_of "$pod")"
    fi
}

too_late() {
    if is_busy "$(place_of "$1")" && [ "$suspended" = 0 ]; then
        echo "job $name: activeDeadlineSeconds is over"
        give_up "$1" timeout 0
    fi
}

start_place() {
    begin_place "$1"
    for each in $(pods_of "$1"); do ! is_first "$each" || start "$each"; done
}

free_place() {
    for place in $(seq 0 $((places - 1))); do is_busy "$place" || { echo "$place"; return; }; done
}

stop_place() {
    systemctl stop $(units_of "$1")
    # A container may take its whole grace period to end.
    now=$(date +%s)
    ! is_busy "$1" || end_place "$1" "$2" 0
}

# Whether a unit of place $1 is up or about to be, or tried again later.
is_up() {
    for unit in $(units_of "$1"); do
        case $(systemctl show --property=ActiveState --value "$unit") in
        inactive | failed) ;;
        *) return 0 ;;
        esac
        systemctl list-jobs --plain --no-legend -- "$unit" | grep -q . && return 0
    done
    systemctl list-units --plain --no-legend --all "$prefix.again-*.timer" | grep -q .
}

# A job that began and of which nothing is left, as when somebody stopped it, is over.
sweep() {
    for each_place in $(seq 0 $((places - 1))); do
        is_busy "$each_place" && ! is_up "$each_place" && end_place "$each_place" interrupted 0
    done
    return 0
}

# Whether a time of the schedule was at most $starting seconds ago.
is_in_time() {
    [ -n "$starting" ] && [ -n "${TRIGGER_UNIT-timer}" ] || return 0
    echo "$calendar" | while read -r event; do
        since=$((now - starting - 1))
        next=$(LC_ALL=C TZ=UTC systemd-analyze calendar --base-time="@$since" "$event" |
            sed -n 's/^ *Next elapse: //p')
        [ -n "$next" ] && [ "$(TZ=UTC date -d "$next" +%s)" -le "$now" ] && echo yes
    done | grep -q yes
}

fire() {
    if ! is_in_time; then
        echo "cron job $name: left out: more than $starting s late (startingDeadlineSeconds)"
        return 0
    fi
    (hold && sweep)
    if is_busy 0 && [ "$concurrency" = Forbid ]; then
        echo "cron job $name: left out: the run before goes on (concurrencyPolicy Forbid)"
        return 0
    fi
    if is_busy 0 && [ "$concurrency" = Replace ]; then
        echo "cron job $name: the run before is replaced (concurrencyPolicy Replace)"
        stop_place 0 replaced
    fi
    run_now
}

run_now() {
    hold
    place=$(free_place)
    if [ -z "$place" ]; then
        echo "cron job $name: left out: $places run already, which is as many as there can be"
        return 1
    fi
    start_place "$place"
}

# One call at a time looks at the files of a job and changes them: its pods begin and end together.
# What waits for units to stop does not hold the lock, as their own calls take it.
hold() {
    mkdir -p "$base"
    exec 9>"$base/lock"
    flock 9
}

case $what in
begin) hold && may_begin "$3" ;;
ended) hold && container_ended "$3" "${4-}" ;;
late) hold && too_late "$3" ;;
clear)
    hold
    for each in $(pods_of "$(place_of "$3")"); do empty "$each"; done
    systemctl reset-failed $(units_of "$(place_of "$3")") 2>/dev/null
    : >"$(folder_of "$3")/cleared"
    ;;
fire) fire || : ;;
now) run_now ;;
esac
