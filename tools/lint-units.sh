#!/usr/bin/env bash
# Checks the systemd units: whether they are well-formed, and that none is less confined than it was.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v systemd-analyze >/dev/null; then
  echo "systemd-analyze is not installed: units not checked"
  exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{usr/bin,bin,etc/systemd/system,usr/lib/systemd/system}
cp systemd/*.service systemd/*.socket "$root/etc/systemd/system/"
# verify asks for the programs that units start, and for the targets they name
for program in usr/bin/weir-collector usr/bin/weir-webui bin/kill; do
  printf '#!/bin/sh\n' >"$root/$program" && chmod +x "$root/$program"
done
for target in basic sysinit sockets shutdown network network-online multi-user timers paths slices; do
  printf '[Unit]\nDescription=%s\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
done

failed=0
for unit in weir-collector.service weir-webui.service weir-collector.socket weir-control.socket; do
  said=$(systemd-analyze verify --root="$root" "$unit" 2>&1) || true
  if [[ -n $said ]]; then
    printf 'systemd/%s: %s\n' "$unit" "$said" >&2
    failed=1
  fi
done
# exposure times ten, as `systemd-analyze security` counts it: lower is tighter
for limit in weir-collector.service:25 weir-webui.service:15; do
  unit=${limit%%:*}
  if ! systemd-analyze security --offline=true --root="$root" --threshold="${limit#*:}" --no-pager "$unit" >"$root/report"; then
    tail -n 2 "$root/report" >&2
    failed=1
  fi
done
exit "$failed"
