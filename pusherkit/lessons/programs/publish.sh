#!/usr/bin/env bash
set -euo pipefail

BODY='{"name":"status","channel":"order-41","data":"{\"status\":\"delivered\",\"to\":\"Zoë\"}"}'
REQUEST_PATH="/apps/$PUSHER_APP_ID/events"
BODY_MD5=$(printf '%s' "$BODY" | md5sum | cut -c 1-32)
QUERY="auth_key=$PUSHER_KEY&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$BODY_MD5"
printf -v TEXT 'POST\n%s\n%s' "$REQUEST_PATH" "$QUERY"

# HMAC from two plain hashes. `openssl dgst -hmac` would show the secret to anyone who runs ps.
mixed() {  # the secret, filled up to 64 bytes, each byte XOR $1
    local hex i
    hex=$(printf '%s' "$PUSHER_SECRET" | od -An -v -tx1 | tr -d ' \n')
    printf -v hex '%-128s' "$hex"
    hex=${hex// /0}
    for ((i = 0; i < 128; i += 2)); do
        printf "\\x$(printf '%02x' $((0x${hex:i:2} ^ $1)))"
    done
}
SIGNATURE=$({
    mixed 0x5c
    { mixed 0x36; printf '%s' "$TEXT"; } | openssl dgst -sha256 -binary
} | openssl dgst -sha256 -r | cut -c 1-64)

curl --silent --show-error --write-out ' %{http_code}\n' \
    "$PUSHER_HOST$REQUEST_PATH?$QUERY&auth_signature=$SIGNATURE" \
    -H 'Content-Type: application/json' --data-binary "$BODY"
