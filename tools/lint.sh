#!/usr/bin/env bash
# Checks what cargo does not: shell scripts, Python, systemd units, licences of dependencies where cargo-deny is there.
set -euo pipefail
cd "$(dirname "$0")/.."

for script in tools/*.sh tools/as-root bench/*.sh .ci/run; do bash -n "$script"; done
python3 -m compileall -q bench >/dev/null || { echo "bench: Python does not compile" >&2; exit 1; }
tools/lint-units.sh
if command -v cargo-deny >/dev/null; then
  cargo deny --all-features check bans licenses sources
else
  echo "cargo-deny is not installed: deny.toml not checked"
fi
