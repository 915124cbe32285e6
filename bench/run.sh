#!/usr/bin/env bash
# Benchmarks beside the packet monitors that are installed. Ratios within one run are what counts: figures of two runs
# on a shared machine do not compare.
#   WEIR_BENCH=quick   (default) 1M packets, about five minutes
#   WEIR_BENCH=full    10M packets with 500,000 flows, more rounds
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --workspace --bins
binaries=${CARGO_TARGET_DIR:-$PWD/target}/release
data=${WEIR_BENCH_DIR:-${CARGO_TARGET_DIR:-$PWD/target}/bench}/data
mkdir -p "$data"
packets=1000000 flows=50000 rounds=3 instructions=20000
[[ ${WEIR_BENCH:-quick} == full ]] && packets=10000000 flows=500000 rounds=5 instructions=50000

generate() {
  local name=$1
  shift
  [[ -e $data/$name.json ]] || "$binaries/weir-generate" --out "$data/$name.pcap" --truth "$data/$name.json" "$@"
}

echo "== reading files"
generate "mixed-$packets" --packets "$packets" --flows "$flows"
generate scan --packets 1000000 --mix scan
bench/offline.py "$data/mixed-$packets.pcap" --truth "$data/mixed-$packets.json" --rounds "$rounds" --instructions "$instructions"
bench/offline.py "$data/scan.pcap" --truth "$data/scan.json" --rounds "$rounds"

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  echo "== live: needs root for network namespaces, by sudo"
  as_root=(sudo --preserve-env=CARGO_TARGET_DIR,WEIR_BENCH_DIR)
fi
echo "== live"
"${as_root[@]}" bench/live.py --pps 200000 --count 1000000 --rounds "$rounds"
"${as_root[@]}" bench/live.py --pps 0 --count 2000000 --rounds "$rounds"
"${as_root[@]}" bench/live.py --pps 50000 --count 400000 --flows 20000 --transport mix --rounds "$rounds"
"${as_root[@]}" bench/live.py --pps 0 --count 1000000 --flows 1000000 --transport syn --rounds "$rounds" --only weir,tcpdump\ -w,softflowd
echo "== idle"
"${as_root[@]}" bench/idle.py
echo "== attribution"
"${as_root[@]}" bench/attribution.py
"${as_root[@]}" bench/attribution.py --no-offload --only 'weir,weir without BPF'
