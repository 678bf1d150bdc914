#!/usr/bin/env bash
# The capstone of `pusherkit clinic`, with bash, openssl and curl.
# Run all of it, or the goals that you name: bash capstone.sh vectors event
set -euo pipefail
export LC_ALL=C  # bytes: sort, tr and ${#…} must not see letters

EVENTS="/apps/$PUSHER_APP_ID/events"
BATCH="/apps/$PUSHER_APP_ID/batch_events"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- signing and sending --------------------------------------------------------------------------

hex() { od -An -v -tx1 | tr -d ' \n'; }
encoded() { printf '%s' "$1" | hex | sed 's/../%&/g'; }  # every byte as %XX

# HMAC from two plain hashes. `openssl dgst -hmac` would show the secret to anyone who runs ps.
mixed() {  # the key $1, filled up to 64 bytes, each XOR $2
    local key byte i
    key=$(printf '%s' "$1" | hex)
    [ ${#key} -le 128 ] || key=$(printf '%s' "$1" | openssl dgst -sha256 -r | cut -c 1-64)
    printf -v key '%-128s' "$key"
    key=${key// /0}
    for ((i = 0; i < 128; i += 2)); do
        printf -v byte '\\x%02x' $((0x${key:i:2} ^ $2))
        printf "$byte"
    done
}
signature() {  # of the text $1, with the secret or with $2
    local key=${2-$PUSHER_SECRET}
    {
        mixed "$key" 0x5c
        { mixed "$key" 0x36; printf '%s' "$1"; } | openssl dgst -sha256 -binary
    } | openssl dgst -sha256 -r | cut -c 1-64
}

# Sign a request with the time it is now, and send it: METHOD PATH BODY_FILE [NAME=VALUE …]
# An empty BODY_FILE is no body. The status is in $status, the answer in $work/answer.
send() {
    local method=$1 path=$2 body=$3 pair query text sent=''
    local -a options=()
    shift 3
    set -- "$@" "auth_key=$PUSHER_KEY" "auth_timestamp=$(date +%s)" auth_version=1.0
    if [ -n "$body" ]; then
        set -- "$@" "body_md5=$(openssl dgst -md5 -r "$body" | cut -c 1-32)"
        options=(-H 'Content-Type: application/json' --data-binary "@$body")
    fi
    query=$(
        for pair; do
            printf '%s=%s\n' "$(printf '%s' "${pair%%=*}" | tr 'A-Z' 'a-z')" "${pair#*=}"
        done | sort -s -t= -k1,1 | paste -sd '&' -
    )
    printf -v text '%s\n%s\n%s' "$method" "$path" "$query"
    for pair in "$@" "auth_signature=$(signature "$text")"; do
        sent+="&$(encoded "${pair%%=*}")=$(encoded "${pair#*=}")"
    done
    status=$(curl -s -m 10 -X "$method" "${options[@]}" -D "$work/head" -o "$work/answer" \
        -w '%{http_code}' "$PUSHER_HOST$path?${sent#&}")
}

# Send JSON; wait and try again if the server says so, five times at most: PATH JSON
post() {
    local attempt
    printf '%s' "$2" >"$work/body"
    for attempt in 1 2 3 4 5; do
        send POST "$1" "$work/body"
        [ "$status" = 429 ] || break
        [ "$attempt" = 5 ] || sleep "$(tr -d '\r' <"$work/head" | sed -n 's/^retry-after: //Ip')"
    done
    [ "$status" = 200 ] || cat "$work/answer" >&2
}
publish() {  # CHANNEL NAME DATA, the data without " and \ of its own, unless they are escaped
    post "$EVENTS" "{\"name\":\"$2\",\"channel\":\"$1\",\"data\":\"$3\"}"
}
clinic() { curl -sf -m 10 "$PUSHER_HOST/clinic$1"; }  # its own pages, which need no signature

# --- the goals ------------------------------------------------------------------------------------

vectors() {
    for number in 1 2 3; do clinic "/vectors/$number" >"$work/$number"; done
    send POST "$EVENTS" "$work/1" 'Zone=a, b' a=1
    send POST "$EVENTS" "$work/2" 'Tag=north east, café' 'note=50% + 1 = %41' B=x/y
    send POST "$BATCH" "$work/3" b=2 'A=a=b&c, d'
}
event() { publish order-41 status 'Zażółć ☕'; }
get() {
    send GET "/apps/$PUSHER_APP_ID/channels/presence-couriers" '' info=user_count,subscription_count
}
batch() {
    local rest='"name":"status","data":"delayed"'
    post "$BATCH" "{\"batch\":[{\"channel\":\"order-41\",$rest},{\"channel\":\"order-42\",$rest}]}"
}
wait_for_it() { publish friday status delayed; }
give_up() {
    publish shut status delayed
    if [ "$status" = 429 ]; then publish news gave-up shut; fi
}
private() {
    local auth
    auth="$PUSHER_KEY:$(signature "$(clinic /socket_id):private-order-41")"
    publish clinic auth "{\\\"auth\\\":\\\"$auth\\\"}"
}
fault() {
    local text sent cause
    text=$(clinic /broken/canonical_string)
    sent=$(clinic /broken/auth_signature)
    case $sent in
        "$(printf '%s' "$PUSHER_SECRET$text" | openssl dgst -sha256 -r | cut -c 1-64)")
            cause=hash-of-secret-and-string ;;
        "$(signature "$PUSHER_SECRET" "$text")") cause=key-and-message-swapped ;;
        "$(signature "${text/POST/post}")") cause=method-in-lower-case ;;
        "$(signature "$text"$'\n')") cause=newline-at-the-end ;;
        "$(signature "${text//$'\n'/\\n}")") cause=newline-written-out ;;
        "$(signature "$text" "$PUSHER_SECRET"$'\n')") cause=secret-with-newline ;;
    esac
    publish clinic cause "$cause"
}
report() {
    local results="{'fingerprint':'$(clinic /fingerprint)','by':'bash'}"
    publish clinic report "${results//\'/\\\"}"
}

[ $# -gt 0 ] || set -- vectors event get batch wait give-up private fault report
for goal; do
    case $goal in
        wait) wait_for_it ;;  # wait is a command of bash's own
        give-up) give_up ;;
        *) "$goal" ;;
    esac
done
