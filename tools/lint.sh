#!/usr/bin/env bash
# Checks what cargo does not: shell scripts, Python, systemd units, licences and users of dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

for script in tools/*.sh tools/as-root bench/*.sh tests/vm/*.sh .ci/run; do bash -n "$script"; done
python3 -m compileall -q bench tools/dependencies.py tests/src/*.py >/dev/null || { echo "Python does not compile" >&2; exit 1; }
tools/lint-units.sh
if command -v cargo-deny >/dev/null; then
  cargo deny --all-features check bans licenses sources
else
  tools/dependencies.py
fi
