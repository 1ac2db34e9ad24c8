#!/bin/sh
# arm64.sh FOLDER: InkGate on ARM64, emulated by qemu: install by hash, read the four samples, run unit tests. For root on
# Debian, with qemu-user-static and debootstrap. About half an hour, so not part of CI. Speed says nothing about real processors.
#
#   FOLDER   the machine's root filesystem; made by the first run, and used again
#   TESTS    (environment) the tests to run, or "none"
set -eu
root=${1:?folder of the root filesystem}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
python=$source/.venv/bin/python
tests=${TESTS:-tests/unit/test_eop.py tests/unit/test_contract.py tests/unit/engines/text} # others import gmssl-pyx or openvino
# No wheel for ARM64 in the locked version: tests that need it are not run here.
absent='openvino|gmssl-pyx'

for program in debootstrap qemu-aarch64-static; do
  command -v "$program" >/dev/null ||
    { echo "arm64.sh: $program is missing; on Debian: apt-get install debootstrap qemu-user-static" >&2; exit 2; }
done
grep -q enabled /proc/sys/fs/binfmt_misc/qemu-aarch64 2>/dev/null ||
  { echo "arm64.sh: the kernel does not start ARM64 programs: mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && update-binfmts --enable" >&2; exit 2; }

[ -d "$root/usr" ] ||
  debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root"

# Wheels are fetched here, at full speed, each only with a locked sha256.
mkdir -p "$root/wheels"
set --
for version in 2_36 2_34 2_31 2_28 2_27 2_26 2_24 2_17; do set -- "$@" --platform "manylinux_${version}_aarch64"; done
for lock in requirements.txt tools/locks/build.txt tools/locks/parts.txt tools/locks/test.txt; do
  # pip would evaluate markers for this machine: what other platforms need is left out before.
  "$python" -m tests.operations.arm64_lock "$source/$lock" "$absent" >"$root/wheels/lock.txt"
  "$python" -m pip download --quiet --no-deps --require-hashes --only-binary=:all: "$@" --platform manylinux2014_aarch64 \
    --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
    --dest "$root/wheels" --requirement "$root/wheels/lock.txt"
  cp "$root/wheels/lock.txt" "$root/wheels/$(basename "$lock")"
done

rm -rf "$root/src" "$root/opt/inkgate"
mkdir -p "$root/src"
git -C "$source" ls-files -z --cached --others --exclude-standard | tar -C "$source" --null --files-from=- --create | tar -x -C "$root/src"
mount --bind /dev "$root/dev"
mount --bind /sys "$root/sys" # ONNX Runtime asks for the number of processors there
mount -t proc proc "$root/proc"
trap 'umount "$root/dev" "$root/sys" "$root/proc"' EXIT
inside() {
  chroot "$root" /usr/bin/env -i PATH=/opt/inkgate/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1 "$@"
}
inside uname -m
inside sh /src/deploy/install.sh all /opt/inkgate
inside python -c 'from inkgate.service.sealed.sm2.provider import select_provider; print("SM2:", select_provider().name)'
inside inkgate models verify
for capability in general idcard plate licence; do
  inside inkgate ocr --capability "$capability" "/src/service/samples/$capability.jpg"
done
[ "$tests" != none ] || exit 0
inside python -m pip install --quiet --no-deps --require-hashes --requirement /wheels/test.txt
# shellcheck disable=SC2086 # several tests
inside sh -c "cd /src && exec python -m pytest -p no:cacheprovider -n 0 $tests"
