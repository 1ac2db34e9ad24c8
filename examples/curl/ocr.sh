#!/bin/sh
# 用 curl 与 openssl 调用。 Reads one image with curl, openssl and base64 only.
#
#     ocr.sh general|idcard|plate|licence FILE
#
# Environment: BASE_URL, AK, SK, APPKEY.
set -eu

usage() {
    echo "usage: ocr.sh general|idcard|plate|licence FILE" >&2
    exit 2
}

[ $# -eq 2 ] && [ -f "$2" ] || usage
case $1 in
    general) path=/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json ;;
    idcard) path=/v1/aiop/api/2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json ;;
    plate) path=/v1/aiop/api/2gt54ed8660w/driven-plate-ocr/platelicense.json ;;
    licence) path=/v1/aiop/api/2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json ;;
    *) usage ;;
esac

body=$(mktemp)
trap 'rm -f "$body"' EXIT
if [ "$1" = licence ]; then
    { printf '{"Action":"BusinessCardOCR","ImageData":"'; base64 -w0 "$2"; printf '"}'; } > "$body"
else
    { printf '{"data":["'; base64 -w0 "$2"; printf '"]}'; } > "$body"
fi

# HMAC-SHA256 of stdin under a key given in hex; prints hex. openssl takes keys only as arguments, which other users
# of the machine can see while it runs: on a shared machine use another of the examples.
hmac() {
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -r | cut -d' ' -f1
}
hex() {
    od -An -v -tx1 | tr -d ' \n'
}

id=$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)
date=$(TZ=Asia/Shanghai date +%Y%m%dT%H%M%SZ)
hash=$(openssl dgst -sha256 -r "$body" | cut -d' ' -f1)
key=$(printf %s "$SK" | hex)
key=$(printf %s "$date" | hmac "$key")
key=$(printf %s "$AK" | hmac "$key")
key=$(printf %.8s "$date" | hmac "$key")
signature=$(printf 'ctyun-eop-request-id:%s\neop-date:%s\n\n\n%s' "$id" "$date" "$hash" |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)

curl -sS "$BASE_URL$path" \
    -H 'Content-Type: application/json' -H 'Expect:' \
    -H "appkey: $APPKEY" -H "ctyun-eop-request-id: $id" -H "eop-date: $date" \
    -H "Eop-Authorization: $AK Headers=ctyun-eop-request-id;eop-date Signature=$signature" \
    --data-binary "@$body"
echo
