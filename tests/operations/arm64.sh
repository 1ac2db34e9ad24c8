#!/bin/sh
# arm64.sh FOLDER [STEP…]: InkGate on ARM64, emulated by qemu. For root on Debian, with qemu-user-static and debootstrap.
# Speed says nothing about real processors.
#
#   FOLDER   the machine's root filesystem; made by the first run, and used again
#   STEP     machine   Debian 12 for ARM64 in FOLDER
#            wheels    every locked file for ARM64, fetched here, each by its sha256
#            install   deploy/install.sh all, without an index
#            samples   the four samples, their text compared with that of this machine
#            tests     unit tests of TESTS, without those that need a package which ARM64 does not have
#            all five by default: an hour or more on two cores, so not part of CI; each alone can be repeated
#   TESTS    (environment) files or folders of tests; TEST_TIMEOUT: seconds for each of them
set -eu
root=${1:?folder of the root filesystem}
shift
source=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
python=$source/.venv/bin/python
tests=${TESTS:-tests/unit/sealed tests/unit/contract tests/unit/engines tests/unit/test_contract.py tests/unit/test_eop.py}
seconds=${TEST_TIMEOUT:-3600}
# No wheel for ARM64 in the locked version: tests that need it are not run here.
absent='openvino|gmssl-pyx'

step_machine() {
  [ ! -e "$root/etc/debian_version" ] || return 0
  debootstrap --arch=arm64 --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root"
}

step_wheels() {
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
  echo "$(find "$root/wheels" -name '*.whl' | wc -l) wheels, each by its sha256"
}

inside() {
  chroot "$root" /usr/bin/env -i PATH=/opt/inkgate/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1 "$@"
}

step_install() {
  rm -rf "$root/opt/inkgate"
  inside sh /src/deploy/install.sh all /opt/inkgate
  inside python -c 'from inkgate.service.sealed.sm2.provider import select_provider; print("SM2:", select_provider().name)'
  inside inkgate models verify
}

step_samples() {
  for capability in general idcard plate licence; do
    sample=service/samples/$capability.jpg
    "$source/.venv/bin/inkgate" ocr --workers 1 --capability "$capability" "$source/$sample" >"$root/tmp/here.txt"
    inside inkgate ocr --workers 1 --capability "$capability" "/src/$sample" >"$root/tmp/there.txt"
    if diff "$root/tmp/here.txt" "$root/tmp/there.txt"; then echo "$capability: the same $(wc -l <"$root/tmp/there.txt") lines"
    else echo "$capability: not the same (< $(uname -m), > aarch64)"; status=1; fi
  done
}

step_tests() {
  inside python -m pip install --quiet --no-deps --require-hashes --requirement /wheels/test.txt
  ignored=''
  for file in $(cd "$root/src" && grep -rlE '^(import|from) (gmssl_pyx|openvino|tests\.audit_verifier)\b' tests/unit); do
    echo "left out, for want of a package: $file"
    ignored="$ignored --ignore=$file"
  done
  # pyproject.toml's limits are for real processors.
  inside sh -c "cd /src && exec python -m pytest -p no:cacheprovider -q -n ${TEST_PROCESSES:-2} --timeout $seconds \
    -o faulthandler_timeout=$((seconds + 60)) $ignored $tests"
}

# ONNX Runtime reads the processor's description; in this machine's, of another architecture, it crashes.
describe_processor() {
  cpus=$root/sys/devices/system/cpu
  mkdir -p "$cpus"
  for file in possible present online; do echo 0-1 >"$cpus/$file"; done
  for number in 0 1; do # a Neoverse N1
    printf 'processor\t: %s\nFeatures\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm asimddp\n' "$number"
    printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\n'
  done >"$root/tmp/cpuinfo"
}

for program in debootstrap qemu-aarch64-static; do
  command -v "$program" >/dev/null ||
    { echo "arm64.sh: $program is missing; on Debian: apt-get install debootstrap qemu-user-static" >&2; exit 2; }
done
grep -q enabled /proc/sys/fs/binfmt_misc/qemu-aarch64 2>/dev/null ||
  { echo "arm64.sh: the kernel does not start ARM64 programs: mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && update-binfmts --enable" >&2; exit 2; }
cd "$source"

status=0
[ $# -gt 0 ] || set -- machine wheels install samples tests
for step in "$@"; do
  case $step in
    machine | wheels) ;;
    install | samples | tests)
      if [ ! -d "$root/proc/1" ]; then
        mount --bind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        describe_processor
        mount --bind "$root/tmp/cpuinfo" "$root/proc/cpuinfo"
        trap 'umount "$root/dev" "$root/proc/cpuinfo" "$root/proc"' EXIT
        rm -rf "$root/src"
        mkdir -p "$root/src"
        git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create | tar -x -C "$root/src"
      fi ;;
    *) echo "arm64.sh: unknown step $step: machine, wheels, install, samples or tests" >&2; exit 2 ;;
  esac
  "step_$step"
done
exit "$status"
