#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, those that are missing. Says what it does.
# usage: tools/packages.sh build|test|vm
set -euo pipefail

build=(gcc:gcc ld:binutils make:make git:git pkg-config:pkg-config)
test=(ip:iproute2 ethtool:ethtool tcpdump:tcpdump tshark:tshark chromium:chromium chromedriver:chromium-driver
      tmux:tmux setpriv:util-linux systemd-analyze:systemd sysctl:procps python3:python3 perl:perl-base tar:tar xz:xz-utils)
vm=(qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap mkfs.ext4:e2fsprogs curl:curl xz:xz-utils)

need() {
  local pair
  for pair in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin:/snap/bin command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
}

look() {
  missing=()
  need "${build[@]}"
  compgen -G '/usr/include/pcap/pcap.h' >/dev/null || missing+=(libpcap-dev)
  [[ $1 == test ]] && need "${test[@]}"
  # HTTP clients do not start without any certificate, whatever they ask
  [[ $1 == test && ! -e /etc/ssl/certs/ca-certificates.crt ]] && missing+=(ca-certificates)
  [[ $1 == vm ]] && need "${vm[@]}"
  return 0
}

look "${1:-build}"
((${#missing[@]})) || exit 0

install=(apt-get install --yes --no-install-recommends "${missing[@]}")
echo "missing: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "no apt-get here: install what these Debian packages contain, then try again" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
    echo "not root, and sudo asks for a password without a terminal; run: sudo ${install[*]}" >&2
    exit 1
  fi
  as_root=(sudo --preserve-env=DEBIAN_FRONTEND)
fi
echo "installing with apt-get: ${missing[*]}"
{ "${as_root[@]}" apt-get update --quiet=2 && "${as_root[@]}" "${install[@]}"; } || {
  echo "apt-get failed; run as root: apt-get update && ${install[*]}" >&2
  exit 1
}
look "${1:-build}"
((${#missing[@]})) || exit 0
echo "installed, and yet not there: ${missing[*]}" >&2
[[ ${missing[*]} == *chromium* ]] &&
  echo "Ubuntu's Chromium is a snap: install it by 'snap install chromium', which takes a running snapd, and try again" >&2
exit 1
