#!/bin/sh
# The first process of the container: starts the service, hands signals on to it, and ends with its status, but not before
# the last process that it left behind. When a container's first process ends, all others in it are killed; after a crash of
# the service that would be its courier, with answers of providers still under way (docs/decisions/courier.md).
# Waits for nothing that was started from outside, such as by `docker exec`.

# One line in the form of the service's log: level, message, and further fields.
say() {
  printf '{"level":"%s","time":"%s","logger":"init"%s,"msg":"%s"}\n' "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${3:-}" "$2" >&2
}

# Before the service is there a signal waits for it.
pass_on() {
  if [ -n "$service" ]; then kill -s "$1" "$service" 2>/dev/null; else asked=$1; fi
}

# Whether a process is left whose parent is this one: orphans become its children. Zombies do not count.
has_children() {
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    # After the name, which may hold anything: state, parent.
    set -- ${line##*) }
    [ "$2" = "$$" ] && [ "$1" != Z ] && return 0
  done
  return 1
}

service= asked=
trap 'pass_on TERM' TERM
trap 'pass_on INT' INT
trap ':' HUP

# Only to the first process do orphans come.
[ "$$" = 1 ] || say warn 'This is not the first process of the container (docker run --init, shareProcessNamespace): a service that crashes takes its courier along'

# What a shell starts in the background has no input unless it is handed over like this.
exec 3<&0
"$@" <&3 3<&- &
service=$!
exec 3<&-
[ -z "$asked" ] || pass_on "$asked"

# A signal ends the waiting, not the service.
while :; do
  wait "$service"
  status=$?
  kill -0 "$service" 2>/dev/null || break
done
service=

if has_children; then
  say warn 'The service has ended; its courier is waited for' ",\"status\":$status"
  # In its waiting for `sleep` the shell also clears away the orphans that have ended.
  while has_children; do sleep 1; done
fi
exit "$status"
