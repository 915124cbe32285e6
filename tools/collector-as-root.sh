#!/bin/sh
# Runs the collector given as arguments until standard input ends, then stops it. The launcher is an ordinary user and
# may not signal a root process: closing a pipe works without a second password, also when the launcher is killed.
trap '' INT
"$@" </dev/null &
collector=$!
exec 3<&0
(
  cat <&3 >/dev/null
  kill -TERM "$collector" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$collector" 2>/dev/null || exit 0
    sleep 1
  done
  kill -KILL "$collector" 2>/dev/null
) &
watcher=$!
exec 3<&-
wait "$collector"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
