"""What people met in public, told with an app of our own: writes the texts beside this file.

Every case is the fault of a public report, in the form in which people paste such a thing. Keys,
hosts, bodies and words are ours. The signatures are made here, with the standard library alone and
with the mistake in them, so that nothing of pusherkit agrees with itself.

    python tests/cases/make.py

writes each text again, and index.json, which says of each what the doctor has to answer:
`reports` are the addresses (none where the fault was met in published code that has no thread),
`fault` is its row in docs/doctor.md, `mistakes` are the names that must be proven, `says` is what
must stand in the answer, and `status` the exit status.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).parent
APP_ID, KEY, SECRET = "20817", "5f2c9be0d6a41738c0de", "orchard-lane-7731"
HOST = "https://ws.orchard.example"
PATH, CHANNELS = f"/apps/{APP_ID}/events", f"/apps/{APP_ID}/channels"
TIMESTAMP = 1_760_000_000  # Unix seconds: 9 October 2025
BODY = '{"name":"order-shipped","channels":["orders"],"data":"{\\"order\\":7713}"}'
GITHUB = "https://github.com"

Case = dict[str, Any]
CASES: dict[str, Case] = {}
TEXTS: dict[str, bytes] = {}


def case(name: str, text: str | bytes, reports: str = "", **expected: Any) -> None:
    """Add a case. `reports` are addresses without their beginning, as owner/repo#N or a page."""
    assert name not in CASES
    addresses = [
        f"{GITHUB}/{each.replace('#', '/issues/')}" if "#" in each else f"https://{each}"
        for each in reports.split()
    ]
    CASES[name] = {
        "reports": addresses,
        "mistakes": expected.pop("mistakes", []),
        "fault": expected.pop("fault", None),
        "says": expected.pop("says", []),
        "status": expected.pop("status", 1),
        "read_as": expected.pop("read_as", ""),
    }
    assert not expected, expected
    if CASES[name]["fault"] is None:  # the fault is the mistake
        ((CASES[name]["fault"],),) = CASES[name]["mistakes"]
    TEXTS[name] = text if isinstance(text, bytes) else text.encode()


def md5(body: str | bytes) -> str:
    return hashlib.md5(body if isinstance(body, bytes) else body.encode()).hexdigest()


def sha(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def query(
    *,
    method: str = "POST",
    path: str = PATH,
    body: str | bytes | None = BODY,
    secret: str = SECRET,
    join: Callable[[str, str, str], str] = lambda *lines: "\n".join(lines),
    written: Callable[[str], str] = lambda digest: digest,
    third: Callable[[dict[str, str]], str] = lambda params: "&".join(
        f"{name}={params[name]}" for name in sorted(params)
    ),
    **changed: str | None,
) -> str:
    """A signed query. What is given here is what was signed, and `changed` what was sent too."""
    params = {
        "auth_key": KEY,
        "auth_timestamp": str(TIMESTAMP),
        "auth_version": "1.0",
        **({} if body is None else {"body_md5": md5(body)}),
        **changed,
    }
    kept = {name: value for name, value in params.items() if value is not None}
    signature = written(sha(join(method, path, third(kept)), secret))
    pairs = [*kept.items(), ("auth_signature", signature)]
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def curl(
    signed: str, *, path: str = PATH, body: str = BODY, host: str = HOST, more: str = ""
) -> str:
    url = f"{host}{path}" + (f"?{signed}" if signed else "")
    return f"curl -X POST '{url}' -H 'Content-Type: application/json' {more}--data-raw '{body}'\n"


def http(
    signed: str, *, body: str | bytes = BODY, headers: str = "", host: str = "ws.orchard.example"
) -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    head = (
        f"POST {PATH}?{signed} HTTP/1.1\nHost: {host}\n{headers}Content-Type: application/json\n\n"
    )
    return head.encode() + raw


def refusal(signed: str, text: str = f"POST\n{PATH}\n", newline: str = "\\n") -> str:
    params, _, signature = signed.partition("&auth_signature=")
    quoted = (text + params).replace("\n", newline)
    return (
        f'Invalid signature: you should have sent HmacSHA256Hex("{quoted}", your_secret_key), '
        f'but you sent "{signature}"'
    )


RIGHT = query()

# --- a proxy on the way ---------------------------------------------------------------------------

NGINX = "laravel/reverb#289 lando/laravel#61 hawk-digital-environments/HAWKI#156"
case(
    "reverb-only-says-no",
    "Illuminate\\Broadcasting\\BroadcastException: Pusher error: Authentication signature "
    "invalid.. in /app/vendor/laravel/framework/src/Illuminate/Broadcasting/Broadcasters/"
    "PusherBroadcaster.php:163\n",
    NGINX,
    says=["proxy", "nginx"],
    status=2,
    read_as="the text of a refusal",
    fault="query-dropped",
)
case(
    "arrived-without-its-query",
    f"POST {PATH} HTTP/1.1\nHost: 10.0.0.4:8080\nContent-Type: application/json\n\n{BODY}",
    NGINX,
    says=["No parameter arrived", "$is_args$args"],
    fault="query-dropped",
)
case(
    "signed-right-and-refused",
    curl(RIGHT) + "\nPusher error: Authentication signature invalid.\n",
    NGINX,
    says=["signed as it should be", "proxy", "what is left"],
    status=0,
    fault="query-dropped",
)
PREFIX = (
    "laravel/reverb#356 pusher/pusher-http-php#227 pusher/pusher-http-php#335 "
    "pusher/pusher-http-php#388 pusher/pusher-http-php#399"
)
case(
    "prefix-sent-not-signed",
    curl(RIGHT, path=f"/realtime{PATH}"),
    PREFIX,
    mistakes=[["prefix-on-one-side"]],
)
case(
    "prefix-signed-not-sent",
    curl(query(path=f"/sockets{PATH}")),
    PREFIX,
    mistakes=[["prefix-on-one-side"]],
)
case(
    "through-a-cors-proxy",
    curl(RIGHT, path=f"/{HOST}{PATH}", host="https://cors.orchard.example"),
    mistakes=[["prefix-on-one-side"]],
    says=[f"This goes to {HOST}"],
)
case(
    "two-slashes",
    curl(RIGHT, path=f"/{PATH}"),
    "leggetter/pusher-examples#3",
    mistakes=[["two-slashes-sent"]],
)
case(
    "body-cut-on-its-way",
    http(RIGHT, body=BODY[:40], headers=f"Content-Length: {len(BODY)}\n", host="10.0.0.4:6001"),
    "beyondcode/laravel-websockets#34",
    says=["Content-Length"],
    fault="body-cut",
)

# --- the secret, the key and the app --------------------------------------------------------------

IN_QUOTES = query(secret=f'"{SECRET}"')
case(
    "refusal-of-a-secret-in-quotes",
    f"Status Code: 401 - {refusal(IN_QUOTES)}\n",
    "pusher/pusher-http-go#91",
    mistakes=[["secret-in-quotes"]],
    read_as="the text of a refusal",
)
case(
    "key-and-secret-swapped",
    curl(query(secret=KEY, auth_key=SECRET)),
    "soketi/soketi#753 soketi/soketi#775 soketi/soketi#811",
    says=["swapped"],
    fault="key-and-secret-swapped",
)
case(
    "app-id-as-auth-key",
    curl(RIGHT.replace(f"auth_key={KEY}", f"auth_key={APP_ID}")),
    says=["auth_key holds the app id"],
    fault="app-id-as-auth-key",
)
case(
    "path-of-another-app",
    curl(RIGHT, path="/apps/39914/events"),
    mistakes=[["another-apps-path"]],
    says=[f"{HOST}{PATH}?"],
)
case(
    "unknown-key",
    "Pusher::Error: Bad request: Unknown auth_key\n",
    "pusher/pusher-http-ruby#96 pusher/pusher-http-php#118",
    says=["cluster"],
    fault="another-host-or-cluster",
)
WRONG_CLUSTER = (
    "pusher/pusher-http-dotnet#50 pusher/pusher-http-dotnet#84 pusher/pusher-websocket-dotnet#64 "
    "edgurgel/poxa#120 theodi/octopub#326 laravel/reverb#136"
)
case(
    "key-of-another-cluster",
    json.dumps(
        {
            "event": "pusher:error",
            "data": {
                "code": 4001,
                "message": f"App key {KEY} not in this cluster. Did you forget to specify the "
                "cluster?",
            },
        }
    ),
    WRONG_CLUSTER,
    says=["cluster"],
    fault="another-host-or-cluster",
)
case(
    "application-does-not-exist",
    '{"event":"pusher:error","data":"{\\"code\\":4001,\\"message\\":\\"Application does not '
    'exist\\"}"}\n',
    WRONG_CLUSTER,
    says=["app key"],
    fault="another-host-or-cluster",
)
case(
    "reverb-knows-no-such-app",
    "Pusher error: No matching application for ID [orchard].\n",
    "laravel/reverb#142",
    says=["app id"],
    fault="no-such-app",
)

# --- the clock ------------------------------------------------------------------------------------

case(
    "clock-ahead-by-601-seconds",
    "Timestamp expired: Given timestamp (2025-10-09T09:03:21Z) not within 600s of server time "
    "(2025-10-09T08:53:20Z) (Pusher::AuthenticationError)\n",
    "pusher/pusher-http-ruby#49",
    says=["601 s ahead"],
    fault="clock-wrong",
)
case(
    "clock-in-another-zone",
    "BroadcastException: Pusher error: Timestamp expired: Given timestamp "
    "(2025-10-09T17:53:28Z) not within 600s of server time (2025-10-09T08:53:20Z)\n",
    "pusher/pusher-http-ruby#49",
    says=["half hours"],
    fault="clock-wrong",
)
case(
    "uptime-for-unix-time",
    curl(query(auth_timestamp="73")),
    "github.com/izmeera2000/doorbell",
    says=["since a start"],
    fault="uptime-for-unix-time",
)
case(
    "fraction-of-a-second",
    curl(query(auth_timestamp=f"{TIMESTAMP}.318")),
    says=["whole seconds"],
    fault="fraction-sent",
)

# --- the body and its hash ------------------------------------------------------------------------

DATA = json.loads(BODY)["data"]
case(
    "md5-of-data-alone",
    curl(query(body=DATA)),
    mistakes=[["data-hashed-alone"]],
)
case(
    "no-body-md5",
    curl(query(body=None)),
    says=["Missing parameter: body_md5"],
    fault="body-md5-missing",
)
ACCENT = BODY.replace("7713", '\\"crème\\"')
case(
    "body-sent-in-latin-1",
    http(query(body=ACCENT), body=ACCENT.encode("latin-1")),
    mistakes=[["body-sent-in-latin-1"]],
)
FORM = f"name=order-shipped&channels=orders&data={quote(DATA, safe='')}"
case(
    "fields-form-encoded",
    curl(RIGHT, body=FORM),
    says=["form"],
    mistakes=[["body-sent-form-encoded"]],
)

# --- the canonical string -------------------------------------------------------------------------

case(
    "values-without-names",
    curl(query(third=lambda params: "\n".join(params[name] for name in sorted(params)))),
    mistakes=[["values-without-names"]],
)
case(
    "third-line-empty",
    f"curl '{HOST}{CHANNELS}?auth_signature={sha(f'GET{chr(10)}{CHANNELS}{chr(10)}')}'\n",
    says=["Missing parameter: auth_key"],
    fault="parameters-missing",
)
OLD = query(method="GET", path=CHANNELS, body=None, auth_timestamp=str(TIMESTAMP - 60))[-64:]
ALONG = query(
    method="GET",
    path=CHANNELS,
    body=None,
    third=lambda params: "&".join(
        f"{name}={value}" for name, value in sorted({**params, "auth_signature": OLD}.items())
    ),
)
case(
    "old-signature-signed-along",
    f"curl '{HOST}{CHANNELS}?{ALONG}'\n",
    "pusher/pusher-http-python#63",
    says=["No known mistake", "older auth_signature"],
    status=2,
    fault="old-signature-signed",
)
case(
    "upper-case-in-a-name-is-no-fault",
    curl(RIGHT.replace("auth_key", "auth_Key")),
    says=["signed as it should be"],
    status=0,
    fault="",
)

# --- how the signature is written -----------------------------------------------------------------

case(
    "some-signature",
    curl(query(written=lambda digest: f"Some({digest})")),
    "dtaniwaki/akka-pusher#28",
    says=["Some("],
    mistakes=[["signature-in-a-wrapper"]],
)


def without_zeros(digest: str) -> str:
    """As %x writes the bytes, one by one."""
    return "".join(f"{byte:x}" for byte in bytes.fromhex(digest))


def first_with(length: int, written: Callable[[str], str]) -> str:
    """The first second's query whose signature, written so, has this many characters."""
    queries = (
        query(auth_timestamp=str(TIMESTAMP + second), written=written) for second in range(1_000)
    )
    return next(each for each in queries if len(each.partition("auth_signature=")[2]) == length)


case(
    "hex-without-leading-zeros",
    curl(first_with(62, without_zeros)),
    "github.com/izmeera2000/doorbell",
    mistakes=[["signature-without-leading-zeros"]],
)
case(
    "one-leading-zero-lost",
    curl(first_with(63, lambda digest: f"{int(digest, 16):x}")),
    mistakes=[["signature-without-leading-zeros"]],
)
case(
    "bytes-with-dashes",
    curl(query(written=lambda digest: "-".join(f"{byte:02X}" for byte in bytes.fromhex(digest)))),
    mistakes=[["signature-with-separators"]],
)

# --- the parameters somewhere else ----------------------------------------------------------------

case(
    "parameters-in-a-header",
    curl("", more=f"-H 'Authorization: {RIGHT}' "),
    "taourl.com/read-2295645.html",
    says=["came in the Authorization header"],
    fault="parameters-elsewhere",
)
case(
    "bearer-token",
    curl("", more=f"-H 'Authorization: Bearer {sha(BODY)}' "),
    says=["Bearer", "auth_signature"],
    fault="token-or-password",
)
case(
    "user-and-password",
    curl("", more=f"-u {KEY}:not-the-secret "),
    says=["HTTP Basic", "takes no password"],
    fault="token-or-password",
)

# --- nothing was asked, or something else answered ------------------------------------------------

case(
    "cluster-for-a-host",
    "Pusher error: cURL error 6: Could not resolve host: eu (see "
    f"https://curl.haxx.se/libcurl/c/libcurl-errors.html) for https://eu{PATH}?{RIGHT}.\n",
    "laravel/reverb#225 munafio/chatify#369 beyondcode/laravel-websockets#1162 "
    "beyondcode/laravel-websockets#1026",
    says=["could not be resolved", "Nothing was sent"],
    read_as="a log or an exception",
    fault="no-such-host",
)
case(
    "another-web-server-answered",
    "BroadcastException: Pusher error: <!DOCTYPE html>\n<html><head><title>Not Found</title>"
    "</head><body><h1>404</h1></body></html>\n.\n",
    "laravel/reverb#112 laravel/reverb#114 laravel/reverb#182 laravel/reverb#223 "
    "laravel/reverb#279 laravel/reverb#218",
    says=["HTML"],
    read_as="the text of a failure",
    fault="another-server-answered",
)
TOO_LARGE = (
    "laravel/reverb#83 laravel/reverb#96 laravel/reverb#211 pusher/pusher-http-python#220 "
    "laravel/framework#42269 pusher/pusher-http-java#23"
)
case(
    "payload-too-large",
    "BroadcastException: Pusher error: Payload too large.\n",
    TOO_LARGE,
    says=["large"],
    fault="too-large",
)
case(
    "over-10240-bytes",
    "Unknown error (status code 413): The data content of this event exceeds the allowed maximum "
    "(10240 bytes). See the docs for more info\n",
    TOO_LARGE,
    says=["10"],
    fault="too-large",
)
case(
    "name-missing",
    "PusherRequestError: Unexpected status code 400\n    at process (node:internal:1:1) {\n"
    f"  url: '{HOST}{PATH}?{RIGHT}',\n  error: undefined,\n  status: 400,\n"
    "  body: 'Expected name parameter to be a string\\n'\n}\n",
    "pusher/pusher-js#727",
    says=["An event needs a name"],
    fault="name-missing",
)

# --- subscriptions and webhooks -------------------------------------------------------------------

SOCKET, ROOM = "4410.2281", "presence-yard"
MEMBER = '{"user_id":"12","user_info":{"name":"Ida"}}'


def frames(auth: str, channel: str = "private-orders", **more: str) -> str:
    hello = {"event": "pusher:connection_established", "data": json.dumps({"socket_id": SOCKET})}
    frame = {"event": "pusher:subscribe", "data": {"auth": auth, "channel": channel, **more}}
    return f"{json.dumps(hello)}\n{json.dumps(frame)}\n"


def auth_of(text: str) -> str:
    return f"{KEY}:{sha(text)}"


AUTH = auth_of(f"{SOCKET}:private-orders")
case(
    "auth-encoded-twice",
    f"Invalid signature: Expected HMAC SHA256 hex digest of {SOCKET}:private-orders, but got "
    f"{json.dumps({'auth': AUTH})}\n",
    "edgurgel/poxa#83 pusher/pusher-js#345",
    says=["JSON"],
    mistakes=[["json-encoded-twice"]],
)
NO_KEY = (
    "beyondcode/laravel-websockets#66 beyondcode/laravel-websockets#184 "
    "pusher/pusher-http-laravel#14 pusher/pusher-http-go#88"
)
case(
    "auth-without-the-key",
    "Auth value for subscription to private-orders is invalid: should be of format "
    "'key:signature'\n",
    NO_KEY,
    says=["app key"],
    fault="key-missing",
)
case(
    "auth-as-base64-of-json",
    frames(base64.b64encode(json.dumps({"auth": AUTH}).encode()).decode()),
    NO_KEY,
    says=["base64"],
    mistakes=[["auth-in-base64"]],
)
case(
    "signed-without-private",
    frames(auth_of(f"{SOCKET}:orders")),
    "beyondcode/laravel-websockets#965 laravel/framework#52618",
    says=["private-"],
    mistakes=[["prefix-not-signed"]],
)
DATA_SIGNED = (
    "pusher/pusher-websocket-react-native#61 pusher/pusher-websocket-react-native#84 "
    "pusher/pusher-websocket-react-native#149 pusher/pusher-http-php#170 "
    "pusher/pusher-websocket-java#144 pusher/pusher-websocket-java#205 "
    "pusher/pusher-websocket-flutter#20 munafio/chatify#306"
)
case(
    "channel-data-sent-not-signed",
    frames(auth_of(f"{SOCKET}:{ROOM}"), ROOM, channel_data=MEMBER),
    DATA_SIGNED,
    says=["channel_data"],
    mistakes=[["data-not-signed"]],
)
case(
    "channel-data-signed-not-sent",
    f"Invalid signature: Expected HMAC SHA256 hex digest of {SOCKET}:{ROOM}, but got "
    f"{sha(f'{SOCKET}:{ROOM}:{MEMBER}')}\n",
    DATA_SIGNED,
    says=["channel_data was signed and not sent"],
    fault="data-not-sent",
)
case(
    "channel-name-url-encoded",
    frames(auth_of(f"{SOCKET}:private-yard%40gate%3D2"), "private-yard@gate=2"),
    "pusher/pusher-websocket-swift#117",
    says=["encoded"],
    mistakes=[["channel-url-encoded"]],
)
case(
    "soketi-says-unauthorized",
    '{"event":"pusher:subscription_error","channel":"private-orders","data":{"type":"AuthError",'
    '"error":"The connection is unauthorized.","status":401}}\n',
    "soketi/soketi#753 soketi/soketi#775 soketi/soketi#811",
    says=["subscription"],
    fault="subscription-unauthorized",
)
case(
    "no-sign-in-in-time",
    "Connection not authorized within timeout (4009)\n",
    "soketi/soketi#753",
    says=["sign"],
    fault="no-sign-in",
)
HOOK = '{"time_ms": 1760000000123, "events": [{"name": "channel_vacated", "channel": "orders"}]}'
case(
    "webhook-written-again",
    "POST /hooks/pusher HTTP/1.1\nHost: shop.orchard.example\nContent-Type: application/json\n"
    f"X-Pusher-Key: {KEY}\n"
    f"X-Pusher-Signature: {sha(HOOK)}\n\n{json.dumps(json.loads(HOOK), separators=(',', ':'))}",
    "pusher/pusher-http-python#161",
    says=["webhook"],
    mistakes=[["body-written-again"]],
)

# --- one mistake, in each of the forms in which people hold it ------------------------------------

WRONG = query(join=lambda *lines: "\\n".join(lines))
URL = f"{HOST}{PATH}?{WRONG}"
NAMED: dict[str, Any] = {"mistakes": [["newline-written-out"]]}
LINES = WRONG.replace("&", "\n    &")
SET_X = f"curl -X POST '{URL}' -H 'Content-Type: application/json' --data-raw '{BODY}'"
FORMS = {
    "curl-from-postman": f"curl --location --request POST '{URL}' \\\n"
    f"--header 'Content-Type: application/json' \\\n--data-raw '{BODY}'\n",
    "curl-from-chrome": f"curl '{URL}' \\\n  -H 'accept: */*' \\\n  -b 'seen=1; lang=en' \\\n"
    f"  --data-raw '{BODY}' \\\n  --compressed\n",
    "curl-into-a-pipe": f"curl -s '{URL}' -d '{BODY}' | jq .\n",
    "curl-with-a-heredoc": f"curl -X POST '{URL}' -d @- <<'JSON'\n{BODY}\nJSON\n",
    "curl-verbose": f"> POST {PATH}?{WRONG} HTTP/1.1\n> Host: ws.orchard.example\n"
    f"> User-Agent: curl/8.9.1\n> Content-Length: {len(BODY)}\n>\n"
    f"* upload completely sent off: {len(BODY)} bytes\n< HTTP/1.1 401 Unauthorized\n",
    "what-set-x-shows": f"+ {SET_X}\n",
    "markdown-fence": f"```sh\n{SET_X}\n```\n",
    "shell-prompt": f"ida@yard:~/shop$ {SET_X}\n",
    "js-fetch": f"fetch({json.dumps(URL)}, {{\n  method: 'POST',\n"
    f"  body: {json.dumps(BODY)}\n}});\n",
    "powershell": f"Invoke-RestMethod -Uri '{URL}' -Method Post -ContentType 'application/json' "
    f"-Body '{BODY}'\n",
    "httpie": f"http POST '{URL}' Content-Type:application/json --raw '{BODY}'\n",
    "postman-collection": json.dumps(
        {
            "info": {
                "name": "orders",
                "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
            },
            "item": [
                {
                    "name": "ship",
                    "request": {
                        "method": "POST",
                        "header": [],
                        "body": {"mode": "raw", "raw": BODY},
                        "url": {"raw": URL},
                    },
                }
            ],
        }
    ),
    "php-logger": f"Pusher: create_curl( {URL})\nPusher: trigger POST: {BODY}\n"
    "Pusher: exec_curl response: Array ( [body] => Invalid signature [status] => 401 )\n",
    "guzzle-exception": f"Client error: `POST {URL}` resulted in a `401 Unauthorized` response:\n"
    f"{refusal(WRONG, newline=chr(10))}\n",
    "access-log": f'10.0.0.9 - - [09/Oct/2025:08:53:20 +0000] "POST {PATH}?{WRONG} HTTP/1.1" 401 '
    '61 "-" "GuzzleHttp/7"\n',
    "rest-client-lines": f"POST {HOST}{PATH}\n    ?{LINES}\nContent-Type: application/json\n\n"
    f"{BODY}\n",
    "the-401-alone": f"{refusal(WRONG, newline=chr(10))}\n",
    "local-server": http(WRONG, host="127.0.0.1:8080"),
}
for name, text in FORMS.items():
    reports = "pusher/pusher-http-php#118" if name == "php-logger" else ""
    says = ["curl -X POST 'http://127.0.0.1:8080/"] if name == "local-server" else []
    case(f"form-{name}", text, reports, says=says, **NAMED)

# The same form of request, after what showed it or copied it had changed the text.
BROKEN = "\n".join(URL[at : at + 76] for at in range(0, len(URL), 76))
CHANGED: dict[str, tuple[str | bytes, str]] = {
    "source-of-a-page": (html.escape(curl(WRONG), quote=True), "&amp; in place of &"),
    "lines-broken-by-a-mail": (f"POST {BROKEN} HTTP/1.1\n\n{BODY}", "over several lines"),
    "typographic-quotes": (curl(WRONG).translate({34: 8221, 39: 8217}), "typographic ones"),
    "hard-spaces": (curl(WRONG).replace(" ", "\xa0"), ""),
    "file-of-powershell": (curl(WRONG).encode("utf-16"), ""),
    "json-without-its-quotes": (f"url={URL} status=401".replace("&", "\\u0026"), ""),
    "key-taken-out": (curl(WRONG).replace(KEY, "xxxxxxxx"), "If you took the key out"),
    "line-of-a-console": (f"POST {URL} 401 (Unauthorized)", "doesn't hold the body"),
    "entry-of-a-har": (
        json.dumps(
            {
                "startedDateTime": "2025-10-09T08:53:20Z",
                "request": {"method": "POST", "url": URL, "postData": {"text": BODY}},
            }
        ),
        f"--data-binary '{BODY}'",
    ),
    "axios-error": (
        "AxiosError: Request failed with status code 401 {\n  config: {\n    transitional: {\n"
        "      clarifyTimeoutError: false\n    },\n    timeout: 0,\n    method: 'post',\n"
        f"    url: '{URL}',\n    data: '{BODY.replace(chr(92), chr(92) * 2)}'\n  }}\n}}",
        "The lines are joined by a backslash and an n",
    ),
}
for name, (changed, note) in CHANGED.items():
    case(f"form-{name}", changed, says=[note], **NAMED)
case(
    "url-cut-short",
    f"POST {HOST}{PATH}?auth_key={KEY}&… 401 (Unauthorized)",
    says=["cut short with …"],
    status=3,
    fault="variables-in-the-paste",
)
case(
    "kept-from-the-page",
    f"Access to fetch at '{HOST}{PATH}' from origin 'http://localhost:3000' has been blocked by "
    "CORS policy: No 'Access-Control-Allow-Origin' header is present on the requested resource.",
    says=["This API is for servers"],
    fault="cors",
)
case(
    "headers-of-a-webhook",
    f"curl -X POST '{HOST}{PATH}' -H 'X-Pusher-Key: {KEY}' -H 'X-Pusher-Signature: {sha(BODY)}' "
    f"-d '{BODY}'",
    says=["auth_key, auth_signature came in headers", "query alone"],
    fault="parameters-elsewhere",
)
case(
    "object-for-a-signature",
    curl(query(written=lambda digest: "[object ArrayBuffer]")),
    says=["how a program prints an object"],
    fault="signature-in-a-wrapper",
)
case(
    "two-slashes-signed-and-sent",
    curl(query(path=f"/{PATH}"), path=f"/{PATH}"),
    says=["signed as it was sent", f"'{HOST}{PATH}?"],
    fault="two-slashes-sent",
)
case(
    "password-in-the-url",
    f"curl -X POST 'https://{KEY}:{SECRET}@ws.orchard.example{PATH}' -d '{BODY}'",
    says=["HTTP Basic", "make a new one"],
    fault="token-or-password",
)
case(
    "shell-substitution",
    f'curl "{HOST}{PATH}?auth_key={KEY}&auth_timestamp=$(date +%s)&auth_signature=$SIG" '
    "-d '{}'\n",
    says=["set -x"],
    status=3,
    fault="variables-in-the-paste",
)


def main() -> None:
    """Write the texts and the index."""
    for old in HERE.glob("*.txt"):
        old.unlink()
    for name, text in TEXTS.items():
        (HERE / f"{name}.txt").write_bytes(text)
    (HERE / "index.json").write_text(json.dumps(CASES, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
