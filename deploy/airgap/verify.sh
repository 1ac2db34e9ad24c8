#!/bin/sh
# Checks the bundle that it lies in, before anything of it is used. Needs sh, coreutils, findutils and, for the signature,
# openssl.
#
#   sh verify.sh [PUBLIC_KEY]
#
#   PUBLIC_KEY   the maker's key (PEM), received on another way than the bundle
#
# Exit status 0: no file is missing, changed or additional, and the signature is the maker's where a key was named.
set -eu
refuse() { echo "verify.sh: refused: $1" >&2; exit 1; }

key=${1:-}
[ -z "$key" ] || [ -f "$key" ] || refuse "no public key at $key"
case $key in '' | /*) ;; *) key=$PWD/$key ;; esac
cd "$(dirname "$0")"
[ -f SHA256SUMS ] || refuse "there is no SHA256SUMS; is this a bundle?"

if [ -n "$key" ]; then
  [ -f SHA256SUMS.sig ] || refuse "the bundle is not signed"
  command -v openssl >/dev/null || refuse "openssl is missing; without it the signature cannot be checked"
  openssl dgst -sha256 -verify "$key" -signature SHA256SUMS.sig SHA256SUMS >/dev/null 2>&1 ||
    refuse "SHA256SUMS.sig is no signature of SHA256SUMS by this key"
  state='signature verified'
elif [ -f SHA256SUMS.sig ]; then
  state='signature not checked: name the public key'
else
  state='the bundle is not signed'
fi

# Names that are either listed or there, not both.
odd=$({ sed 's/^[0-9a-f]*  //' SHA256SUMS
        find . ! -type d ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig | sed 's|^\./||'; } | LC_ALL=C sort | uniq -u)
[ -z "$odd" ] || refuse "missing or not listed: $(echo "$odd" | head -n 1)"
report=$(LC_ALL=C sha256sum -c --quiet --strict SHA256SUMS 2>&1) ||
  refuse "changed: $(echo "$report" | sed -n 's/: FAILED.*//p' | head -n 1)"
echo "$(wc -l <SHA256SUMS) files are whole; $state"
