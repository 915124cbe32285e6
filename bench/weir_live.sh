#!/usr/bin/env bash
# The collector on one interface with a gRPC client attached, for the live benchmarks. At SIGINT or SIGTERM it prints
# what was seen and stops: 'packets: N dropped: M', or with `processes` a line 'name<TAB>pid<TAB>bytes' for each.
# usage: weir_live.sh BINARIES INTERFACE [processes]
set -u
binaries=$1 interface=$2 what=${3:-packets}
folder=$(mktemp -d)
"$binaries/weir-collector" --interface "$interface" --state "$folder/state" --socket "$folder/collector.sock" \
  --control-socket "$folder/control.sock" --log-level warn run >"$folder/log" 2>&1 &
collector=$!
for _ in $(seq 100); do [[ -S $folder/collector.sock ]] && break; sleep 0.1; done
"$binaries/weir" --socket "$folder/collector.sock" watch --json >/dev/null 2>&1 &
client=$!

finish() {
  trap '' INT TERM
  if [[ $what == processes ]]; then
    "$binaries/weir" --socket "$folder/collector.sock" processes --json --limit 5000 | python3 -c '
import json, sys
for row in json.load(sys.stdin)["processes"]:
    print(row["name"] if row["pid"] else "", row["pid"] or 0, row["rx_bytes"] + row["tx_bytes"], sep="\t")'
  else
    "$binaries/weir" --socket "$folder/collector.sock" status --json | python3 -c '
import json, sys
capture = json.load(sys.stdin)["capture"]
print("packets:", sum(row["packets"] for row in capture), "dropped:", sum(row["dropped_packets"] for row in capture))'
  fi
  kill "$client" "$collector" 2>/dev/null
  wait "$client" "$collector" 2>/dev/null
  rm -rf "$folder"
  exit 0
}
trap finish INT TERM
while kill -0 "$collector" 2>/dev/null; do wait "$collector"; done
cat "$folder/log" >&2
rm -rf "$folder"
exit 1
