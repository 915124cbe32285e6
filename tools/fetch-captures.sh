#!/usr/bin/env bash
# Fetches the captures in Debian's tcpdump and libpcap source packages into target/captures, once. They are public test
# files of those projects, many of them malformed on purpose; they are not part of this repository.
# Uses package lists of its own under target/, so neither root nor a deb-src line of the machine is needed.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
folder=$target/captures
release=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
[[ -e $folder/complete ]] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "captures: no apt-get here; the comparison with tshark will say that its captures are missing" >&2
  exit 0
fi
work=$target/captures.work
rm -rf "$work" && mkdir -p "$work"/{lists/partial,archives/partial,source} "$folder"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$work/sources.list"
options=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$work/lists"
         -o "Dir::Cache=$work" -o "Dir::Cache::archives=$work/archives" -o APT::Sandbox::User=root
         -o APT::Get::List-Cleanup=0)
if apt-get "${options[@]}" update --quiet=2 &&
   (cd "$work/source" && apt-get "${options[@]}" source --download-only --quiet=2 tcpdump libpcap); then
  for archive in "$work"/source/*.orig.tar.[gbx]z*; do
    [[ $archive == *.asc ]] && continue
    name=$(basename "$archive" | sed 's/_.*//')
    mkdir -p "$work/unpacked/$name"
    tar -xf "$archive" -C "$work/unpacked/$name"
    find "$work/unpacked/$name" -type f \( -name '*.pcap' -o -name '*.pcapng' \) -print0 |
      while IFS= read -r -d '' file; do cp "$file" "$folder/$name-$(basename "$file")"; done
  done
  touch "$folder/complete"
  echo "captures: $(find "$folder" -name '*.pcap*' | wc -l) files in $folder"
else
  echo "captures: could not be fetched from $mirror; the comparison with tshark will say so" >&2
fi
rm -rf "$work"
