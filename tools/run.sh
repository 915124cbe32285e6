#!/usr/bin/env bash
# Builds Weir and runs both services on this machine until Ctrl+C, without systemd. The collector runs as root (by sudo,
# asked for once); refused, it goes on with kernel counters only. The dashboard never runs as root.
#   WEIR_PROFILE=dev     a faster build of a slower program
#   WEIR_PORT=9000       first port to try (8080)
#   WEIR_STATE=FOLDER    where history is kept
#   WEIR_SUDO=no         do not ask for sudo
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
cd "$checkout"

say() { printf '%s\n' "$*"; }
fail() { printf 'make run: %s\n' "$*" >&2; exit 1; }

# --- what was asked for ------------------------------------------------------------------------------------------------
check_settings() {
  local first=${WEIR_PORT:-8080}
  [[ $first =~ ^[0-9]{1,5}$ ]] && ((10#$first >= 1 && 10#$first <= 65535)) ||
    fail "WEIR_PORT=$first is no port; set it to a number from 1 to 65535"
  port=$((10#$first))
}

# --- build -----------------------------------------------------------------------------------------------------------
build() {
  tools/packages.sh build
  command -v cargo >/dev/null || fail "cargo is missing: install Rust from https://rustup.rs, then try again"
  local profile=${WEIR_PROFILE:-release}
  cargo build --profile "$profile" --locked --bins -p weir-collector -p weir-webui -p weir-cli
  bin=${CARGO_TARGET_DIR:-$checkout/target}/$profile
  [[ $profile == dev ]] && bin=${CARGO_TARGET_DIR:-$checkout/target}/debug
  return 0
}

# --- who runs what, and where its files are --------------------------------------------------------------------------
arrange_as_user() {
  webui_user=$(id -un)
  webui_group=$(id -gn)
  state=${WEIR_STATE:-$checkout/run}
  if ! mkdir -p "$state" 2>/dev/null || [[ ! -w $state ]]; then
    [[ -z ${WEIR_STATE:-} ]] || fail "$(id -un) cannot write WEIR_STATE=$WEIR_STATE; choose a folder of your own"
    state=${XDG_STATE_HOME:-$HOME/.local/state}/weir/run
    say "$checkout/run cannot be written: history is kept in $state"
  fi
  # only this user gets as far as the socket, whoever else is in the group
  local folders=("$state" "$state/webui" "$state/socket" "$state/log")
  if ! { mkdir -p -m 0700 "${folders[@]}" && chmod 0700 "${folders[@]}"; } 2>/dev/null; then
    fail "$(id -un) cannot keep history in $state; set WEIR_STATE to a folder of your own"
  fi
}

# Two on one folder would take each other's sockets away. The dashboard holds it too, so that none left alone is forgotten.
take_state() {
  command -v flock >/dev/null || return 0
  { exec 9>>"$state/lock"; } 2>/dev/null || fail "$state/lock cannot be written; set WEIR_STATE to a folder of your own"
  flock -n 9 || fail "$state is in use by another make run (processes $(tr '\n' ' ' <"$state/lock")); stop it, or set WEIR_STATE to another folder"
  echo "$$" >"$state/lock"
}

arrange_as_root() {
  state=${WEIR_STATE:-/var/lib/weir-run}
  webui_user=$(stat -c %U "$checkout")
  [[ $webui_user == root || $webui_user == UNKNOWN ]] && webui_user=nobody
  webui_group=$(id -gn "$webui_user")
  mkdir -p -m 0755 "$state" && mkdir -p -m 0700 "$state/collector" "$state/webui" "$state/log" ||
    fail "no folder can be made in $state; set WEIR_STATE to one on a disk that can be written"
  mkdir -p "$state/socket" && chown "root:$webui_group" "$state/socket" && chmod 0750 "$state/socket"
  chown "$webui_user:$webui_group" "$state/webui"
  say "started as root: the dashboard runs as $webui_user; all state is under $state"
  if ! setpriv --reuid "$webui_user" --regid "$webui_group" --clear-groups test -x "$bin/weir-webui"; then
    mkdir -p -m 0755 "$state/bin"
    install -m 0755 "$bin"/{weir-collector,weir-webui,weir} "$state/bin/"
    say "$webui_user cannot read $bin: running copies in $state/bin"
    bin=$state/bin
  fi
}

# Sets `privilege` to root, sudo or none.
ask_for_privilege() {
  privilege=none
  local why=
  if [[ $(id -u) -eq 0 ]]; then
    privilege=root
  elif [[ ${WEIR_SUDO:-yes} == no ]]; then
    why="WEIR_SUDO=no"
  elif ! command -v sudo >/dev/null; then
    why="sudo is not installed"
  else
    say "capturing packets needs root: asking sudo for the collector alone (Ctrl+C here goes on with kernel counters only)"
    trap : INT
    if sudo -n true 2>/dev/null || sudo -v; then privilege=sudo; else why="sudo was refused"; fi
    trap - INT
  fi
  [[ $privilege != none ]] || without_capture "$why"
}

without_capture() {
  say "no packets are captured ($1): totals come from kernel counters; hosts, protocols, processes and packets stay empty"
  say "  to capture: run this again where sudo is allowed, or as root"
}

# --- start and stop --------------------------------------------------------------------------------------------------
collector_arguments() {
  local kept=$state/collector
  [[ $privilege == none ]] && kept=$state/collector-unprivileged
  arguments=("$bin/weir-collector" --state "$kept" --socket "$state/socket/collector.sock"
             --control-socket "$state/socket/control.sock" --log-level "${WEIR_LOG:-info}" run)
}

start_collector() {
  local log=$state/log/collector.log arguments
  collector_arguments
  rm -f "$state/socket/collector.sock" "$state/socket/control.sock"
  [[ $privilege == none ]] && mkdir -p -m 0700 "$state/collector-unprivileged"
  local pipe=$state/log/stop.$$ before=0
  [[ -e $log ]] && before=$(stat -c %s "$log")
  mkfifo -m 0600 "$pipe"
  local prefix=(env "WEIR_COLLECTOR__SOCKET__GROUP=$webui_group")
  [[ $privilege == sudo ]] && prefix=(sudo "${prefix[@]}") # asks again where sudo remembers nothing
  "${prefix[@]}" "$checkout/tools/collector-as-root.sh" "${arguments[@]}" <"$pipe" >>"$log" 2>&1 9>&- &
  collector=$!
  exec 4>"$pipe"
  rm -f "$pipe"
  wait_until collector_answers || { tail -c "+$((before + 1))" "$log" | tail -n 20 >&2; return 1; }
}

collector_answers() { [[ -S $state/socket/collector.sock ]] || { kill -0 "$collector" 2>/dev/null && return 1; return 2; }; }

port_is_taken() { (exec 5<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_port() {
  local first=$port
  while port_is_taken "$port"; do
    port=$((port + 1))
    ((port < first + 100 && port <= 65535)) || fail "ports $first to $((port - 1)) are all taken; set WEIR_PORT to another"
  done
  [[ $port == "$first" ]] || say "port $first is taken: using $port"
}

start_webui() {
  local database=$state/webui/weir.db log=$state/log/webui.log known=no before=0
  [[ -e $database ]] && known=yes
  [[ -e $log ]] && before=$(stat -c %s "$log")
  choose_port
  local prefix=(env WEIR_PRINT_PASSWORD=1)
  [[ $privilege == root ]] && prefix+=(setpriv --reuid "$webui_user" --regid "$webui_group" --clear-groups)
  webui_command=("$bin/weir-webui" --database "$database" --socket "$state/socket/collector.sock")
  "${prefix[@]}" "${webui_command[@]}" --listen "127.0.0.1:$port" --log-level "${WEIR_LOG:-info}" run \
    </dev/null 2>>"$log" 4>&- &
  webui=$!
  [[ ! -e $state/lock ]] || echo "$webui" >>"$state/lock"
  if ! wait_until webui_answers; then
    tail -c "+$((before + 1))" "$log" | tail -n 20 >&2
    fail "the dashboard did not start on port $port; its log is above (another port: WEIR_PORT, other files: WEIR_STATE)"
  fi
  say ""
  say "Weir is running:  http://127.0.0.1:$port/"
  if [[ $known == yes ]]; then
    say "the password was set before; forgotten: ${webui_command[*]} user password admin"
  fi
  say "logs: $state/log   command line: $bin/weir --socket $state/socket/collector.sock status"
  say "Ctrl+C stops it; history stays in $state"
}

webui_answers() {
  kill -0 "$webui" 2>/dev/null || return 2
  local line
  { exec 5<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  printf 'GET /healthz HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$port" >&5
  read -r -t 2 line <&5 || line=
  exec 5>&-
  [[ $line == *" 200"* ]]
}

# Polls a check for up to 30 s; a check that returns 2 says that it cannot come true any more.
wait_until() {
  local status
  for _ in $(seq 300); do
    status=0; "$1" || status=$?
    [[ $status -eq 0 ]] && return 0
    [[ $status -eq 2 ]] && return 1
    sleep 0.1
  done
  return 1
}

stop() {
  trap '' INT TERM
  trap - EXIT
  [[ -n ${webui:-} ]] && kill -TERM "$webui" 2>/dev/null
  exec 4>&- # the collector's end
  for process in "${webui:-}" "${collector:-}"; do
    [[ -n $process ]] || continue
    for _ in $(seq 100); do kill -0 "$process" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  rm -f "$state/socket/collector.sock" "$state/socket/control.sock" "$state/log/stop.$$"
  say ""
  say "stopped; history is in $state"
  exit "${1:-0}"
}

check_settings
build
if [[ $(id -u) -eq 0 ]]; then arrange_as_root; else arrange_as_user; fi
take_state
ask_for_privilege
trap 'stop 0' INT TERM HUP
trap 'stop 1' EXIT
if ! start_collector; then
  [[ $privilege == none ]] && fail "the collector did not start; its log is above"
  exec 4>&-
  wait "$collector" 2>/dev/null || true
  [[ $privilege == root ]] && fail "the collector did not start; its log is above"
  privilege=none
  without_capture "the collector did not start as root; its log is above"
  start_collector || fail "the collector did not start; its log is above"
fi
start_webui
while kill -0 "$webui" 2>/dev/null && kill -0 "$collector" 2>/dev/null; do
  wait -n "$webui" "$collector" 2>/dev/null || true
done
say "a service ended by itself; the last lines of its log:"
kill -0 "$webui" 2>/dev/null || tail -n 10 "$state/log/webui.log"
kill -0 "$collector" 2>/dev/null || tail -n 10 "$state/log/collector.log"
stop 1
