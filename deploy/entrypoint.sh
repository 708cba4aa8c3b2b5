#!/bin/sh
# Runs `pleiades` with the container's arguments and ends with its exit code, but for one: 42 (quota is spent until the reset)
# becomes 0. Docker's `restart: on-failure` cannot except a code, and would start a program again and again that can do nothing
# until midnight Pacific. The reset time stands in the log.

# Before there is a child: a stop that comes while it starts must not end this shell alone.
child=
stopped=
trap 'stopped=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
# 3: a shell gives what runs in the background nothing to read, and `add --file -` reads.
exec 3<&0
pleiades "$@" <&3 3<&- &
child=$!
exec 3<&-
[ -z "$stopped" ] || kill -TERM "$child" 2>/dev/null
while :; do
    wait "$child"
    code=$?
    # A signal that was passed on interrupts `wait`; the program is still giving its leases back then.
    kill -0 "$child" 2>/dev/null || break
done
if [ "$code" -eq 42 ]; then
    echo "quota is spent until the reset; ending with 0, so that nothing starts this again" >&2
    exit 0
fi
exit "$code"
