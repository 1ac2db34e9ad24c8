#!/usr/bin/env bash
# Run a black-box conformance suite for the public endpoint against a sandbox.   tools/conformance.sh SUITE_DIR
# PYTHON names the interpreter (default .venv/bin/python). The sample client of the manual reads an image as well.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=$(realpath "$1")
python=${PYTHON:-.venv/bin/python}
folder=$(mktemp -d)
"$python" -m inkgate.service.cli sandbox --qps 1000 --env-file "$folder/env" 2>"$folder/log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 600); do
  [ -f "$folder/env" ] && break
  kill -0 $server 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.2
done
set -a && . "$folder/env" && set +a
export no_proxy=127.0.0.1

echo "the manual's Python sample, with only URL, keys and file changed:"
PYTHONPATH="$suite" "$python" - <<'PY'
import base64, os, seed_client
from inkgate.service.contract.capabilities import GENERAL
image = base64.urlsafe_b64encode(GENERAL.sample.read_bytes()).decode()
reply = seed_client.call(os.environ["BASE_URL"] + GENERAL.paths[0], os.environ["AK"], os.environ["SK"], os.environ["APPKEY"], {"data": [image]})
lines = [line["text"] for line in reply.json()["returnObj"][0]["detail"]]
print("  " + " / ".join(lines))
assert lines[0] == "图书馆开放通知", reply.text
PY

samples=service/samples
"$python" "$suite/conformance.py" --qps "${QPS:-60}" --general-image $samples/general.jpg --idcard-image $samples/idcard.jpg \
  --plate-image $samples/plate.jpg --license-image $samples/licence.jpg | tee "$folder/out" | grep -Ev '^pass '
! grep -q '^skip' "$folder/out" || { echo "a case was skipped" >&2; exit 1; }
