#!/usr/bin/env bash
# Boots Debian 12 under systemd in emulated machines with the kernels of several distributions, installs Weir there as
# docs/operating.md says, and tries it (check.sh). Takes root, the network for packages, 6 GB under target/vm, and ten
# minutes a kernel: no hardware virtualisation is needed.
# usage: tests/vm/run.sh [debian/SUITE | ubuntu/SUITE]...
set -euo pipefail
cd "$(dirname "$0")/../.."
[[ $(id -u) -eq 0 ]] || { echo "run as root: it makes a file system and mounts" >&2; exit 1; }
tools/packages.sh vm
kernels=("$@")
# not debian/trixie: Linux 6.12 crashes in the emulator of QEMU 7.2
((${#kernels[@]})) || kernels=(debian/bookworm ubuntu/jammy ubuntu/noble)
declare -A archive=([debian]=http://deb.debian.org/debian [ubuntu]=http://archive.ubuntu.com/ubuntu)
work=target/vm
root=$work/root
mkdir -p "$work/packages"

if [[ ! -e $work/made ]]; then
  rm -rf "$root"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,udev,initramfs-tools,zstd,kmod,procps,iproute2,libpcap0.8,python3,ethtool,tcpdump,tmux,nftables,curl \
    bookworm "$root" "${archive[debian]}"
  touch "$work/made"
fi

# the newest kernel of a suite's main archive, with its modules; prints its version
install_kernel() {
  local from=${1%%/*} suite=${1##*/} pattern path
  case $from in
    debian) pattern='linux-image-[0-9][^/]*-cloud-amd64_' ;;
    ubuntu) pattern='linux-(image-unsigned|modules)-[0-9][^/]*-generic_' ;;
  esac
  local list
  list=$(curl -sSf "${archive[$from]}/dists/$suite/main/binary-amd64/Packages.xz" | xz -dc |
    sed -nE "s,^Filename: (pool/main/l/linux[^/]*/$pattern.*),\1,p" | sort -V)
  local version
  version=$(tail -n 1 <<<"$list" | sed -E 's,.*/linux-(image-unsigned|image|modules)-([^_]+)_.*,\2,')
  if [[ ! -e $root/boot/initrd.img-$version ]]; then
    for path in $(grep -F -- "-${version}_" <<<"$list"); do
      curl -sSf -o "$work/packages/kernel.deb" "${archive[$from]}/$path"
      # not dpkg -x: /lib is a link there
      dpkg-deb --fsys-tarfile "$work/packages/kernel.deb" | tar -x -C "$root" --keep-directory-symlink
    done
    # in a mount namespace, so that nothing stays mounted below a folder that `cargo clean` removes
    unshare --mount bash -ec 'for folder in proc sys dev; do mount --bind "/$folder" "$0/$folder"; done
      chroot "$0" depmod "$1"; chroot "$0" mkinitramfs -o "/boot/initrd.img-$1" "$1"' "$root" "$version" >&2
  fi
  echo "$version"
}

# what a machine is made of, where the tests' own paths lead
prepare() {
  local home=$root/opt/weir checkout
  checkout=$(pwd)
  rm -rf "$home" && mkdir -p "$home/target/release" "$home/checkout/target/debug/deps" "$home/checkout/target/debug/examples"
  cp -r systemd "$home/"
  # the commands of the manual, but for the build and the first password, which asks a terminal
  sed -n '/^## Install/,/^## /p' docs/operating.md | sed -n 's/^    //p' |
    grep -v -e '^cargo build' -e 'user password' >"$home/install.sh"
  cp -r collector tests tools systemd shared proto Cargo.toml "$home/checkout/"
  for name in weir weir-collector weir-webui weir-send weir-scenario; do
    strip -o "$home/checkout/target/debug/$name" "target/debug/$name"
  done
  cp "$home/checkout/target/debug/"{weir,weir-collector,weir-webui} "$home/target/release/"
  strip -o "$home/checkout/target/debug/examples/worker_lab" target/debug/examples/worker_lab
  strip -o "$home/checkout/target/debug/deps/ebpf-vm" "$(newest ebpf)"
  echo "$checkout" >"$home/where"
  install -m 0755 tests/vm/check.sh "$home/check.sh"
  cat >"$root/etc/systemd/system/weir-check.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/opt/weir/check.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
  ln -sf /etc/systemd/system/weir-check.service "$root/etc/systemd/system/multi-user.target.wants/"
  mkdir -p "$root/etc/systemd/network"
  printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/all.network"
  ln -sf /lib/systemd/system/systemd-networkd.service "$root/etc/systemd/system/multi-user.target.wants/"
  ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
  printf '/dev/vda / ext4 rw 0 1\n' >"$root/etc/fstab"
  echo weirvm >"$root/etc/hostname"
  rm -f "$work/disk" && truncate -s 6G "$work/disk" && mkfs.ext4 -q -d "$root" "$work/disk"
}

# the test's program that cargo built last
newest() {
  cargo test --locked -p weir-collector --test "$1" --no-run --message-format=json 2>/dev/null |
    sed -nE 's/.*"executable":"([^"]*\/deps\/'"$1"'-[^"]*)".*/\1/p' | tail -n 1
}

cargo build --workspace --locked --bins --examples
versions=()
for kernel in "${kernels[@]}"; do versions+=("$(install_kernel "$kernel")"); done
prepare
failed=0
for version in "${versions[@]}"; do
  echo "== Linux $version"
  log=$work/$version.log
  timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -display none -monitor none \
    -kernel "$root/boot/vmlinuz-$version" -initrd "$root/boot/initrd.img-$version" -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0" \
    -drive "file=$work/disk,if=virtio,format=raw" -snapshot -netdev user,id=n -device virtio-net-pci,netdev=n \
    -serial "file:$log" || true
  grep -aE '^(ok|not ok|# )' "$log" || true
  grep -aq '^ok all' "$log" || { failed=1; echo "not ok: see $log"; }
done
exit "$failed"
