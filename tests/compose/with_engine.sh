#!/bin/sh
# with_engine.sh COMMAND…: run a command with a container engine, one of its own where none is running yet.
set -eu
if ! docker info >/dev/null 2>&1; then
  for program in dockerd docker debootstrap; do
    command -v "$program" >/dev/null ||
      { echo "$program is missing; on Debian: apt-get install docker.io debootstrap" >&2; exit 2; }
  done
  log=$(mktemp)
  dockerd >"$log" 2>&1 &
  engine=$!
  trap 'kill "$engine"; wait "$engine" || true' EXIT
  tries=0
  until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ] || ! kill -0 "$engine" 2>/dev/null; then
      echo "the container engine does not start:" >&2
      tail -n 5 "$log" >&2
      exit 2
    fi
    sleep 0.5
  done
fi
"$@"
