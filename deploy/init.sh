#!/bin/sh
# Prepares the one-host deployment: deploy/.env with new secrets, and a certificate in deploy/tls.
# Idempotent: existing files are kept.
#
#   deploy/init.sh [HOSTNAME]        HOSTNAME goes into a self-signed certificate (default: localhost)
set -eu
umask 077
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
kept_host=$([ ! -f "$here/.env" ] || sed -n 's/^PUBLIC_HOST=//p' "$here/.env")
host=${1:-${kept_host:-localhost}}

if [ -f "$here/.env" ]; then
  echo "kept $here/.env"
else
  {
    echo "# Secrets of this deployment. Back it up: without INKGATE_MASTER_KEY no access key in the database can be used."
    echo "POSTGRES_PASSWORD=$(openssl rand -hex 24)"
    echo "REDIS_PASSWORD=$(openssl rand -hex 24)"
    echo "INKGATE_MASTER_KEY=$(openssl rand -base64 32)"
    echo "# Asked for when the first operator of the console is created."
    echo "CONSOLE_SETUP_CODE=$(openssl rand -hex 12)"
    echo "INKGATE_VERSION=1.0.0"
    echo "PUBLIC_HOST=$host"
    echo "HTTPS_PORT=443"
    echo "# Worker processes; 0 means one per core."
    echo "WORKER_PROCESSES=0"
  } > "$here/.env"
  echo "made $here/.env"
fi

chmod 600 "$here/.env"

mkdir -p "$here/tls"
if [ -f "$here/tls/tls.crt" ]; then
  echo "kept $here/tls/tls.crt"
else
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -keyout "$here/tls/tls.key" -out "$here/tls/tls.crt" \
    -subj "/CN=$host" -addext "subjectAltName=DNS:$host" 2>/dev/null
  echo "made $here/tls/tls.crt (self-signed for $host: put your own in its place)"
fi
# nginx runs as user 101 in its container and must read the key; no other user may.
chmod 755 "$here/tls"
chmod 644 "$here/tls/tls.crt"
chmod 600 "$here/tls/tls.key"
if [ "$(id -u)" = 0 ]; then
  chown 101:101 "$here/tls/tls.key"
else
  echo "one step is left for root: chown 101:101 $here/tls/tls.key"
fi

code=$(sed -n 's/^CONSOLE_SETUP_CODE=//p' "$here/.env")
port=$(sed -n 's/^HTTPS_PORT=//p' "$here/.env")
[ "${port:-443}" = 443 ] && port='' || port=":$port"
echo
echo "After the start, create the first operator at https://$host$port/console/"
[ -z "$code" ] || echo "set-up code: $code"
