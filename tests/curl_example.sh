#!/usr/bin/env bash
# Publish one event with printf, md5sum, openssl and curl: the way of the API reference.
#
# From the environment: BASE_URL, APP_ID, KEY, SECRET.
# SEND, if set, is sent in the place of the body that was hashed; the signature then fits no more.
# Prints the answer, then the HTTP status on a line of its own.
set -euo pipefail

BODY='{"name":"message","channel":"chat","data":"{\"text\":\"hello\"}"}'

BODY_MD5=$(printf '%s' "$BODY" | md5sum | awk '{print $1}')
TIMESTAMP=$(date +%s)
QUERY="auth_key=$KEY&auth_timestamp=$TIMESTAMP&auth_version=1.0&body_md5=$BODY_MD5"
SIGNATURE=$(printf 'POST\n/apps/%s/events\n%s' "$APP_ID" "$QUERY" \
    | openssl dgst -sha256 -hmac "$SECRET" -hex \
    | awk '{print $NF}')

curl -X POST "$BASE_URL/apps/$APP_ID/events?$QUERY&auth_signature=$SIGNATURE" \
    -H 'Content-Type: application/json' \
    -d "${SEND:-$BODY}" \
    --silent --show-error --max-time 10 --write-out '\n%{http_code}\n'
