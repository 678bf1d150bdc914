"""A request as text to paste elsewhere: a command, or a program that signs it. Pure.

`curl` carries a ready-made signature. The programs (`bash`, `python`, `node`, `php`) compute
theirs, stage by stage, so they read like the lessons and never expire. They take the secret from
the environment, as PUSHER_SECRET: it's never in their text, and never on a command line, where
everybody on the machine could see it in the list of processes.

The request may be a stranger's. So every word of it is quoted for the language that it goes into,
and what cannot be quoted is refused. All of them take `base_url` (scheme, host and port), and
raise ValueError, with a sentence, for what their text cannot hold.
"""

from __future__ import annotations

import re
import shlex
from urllib.parse import quote, urlencode

from pusherkit.signing import SIGNING_PARAMS, Request

JSON_TYPE = "application/json"
# curl reads [1-3] and {a,b} in a URL as several URLs, and takes /../ out of a path (its manual:
# --globoff, --path-as-is). Only a URL that has them, as one with an IPv6 address, needs these.
_SEVERAL_URLS = re.compile(r"[\[\]{}]")
_DOTS_IN_PATH = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", flags=re.IGNORECASE)


def curl(base_url: str, request: Request) -> str:
    """A signed request as a curl command for a POSIX shell; it sends exactly the request's bytes.

    `request.params` are all that the query gets, so auth_signature is among them.
    """
    text = _checked(request)
    url = base_url + request.path + (f"?{urlencode(request.params)}" if request.params else "")
    _refuse_nul(text)
    options = _options(url, request.path)
    lines = [f"curl {options}-X {shlex.quote(request.method)} {shlex.quote(url)}"]
    if text:
        lines.append(f"-H 'Content-Type: {JSON_TYPE}'")
        option = "--data-raw" if text.startswith("@") else "--data-binary"  # @ would name a file
        lines.append(f"{option} {shlex.quote(text)}")
    return " \\\n  ".join(lines)


def _options(url: str, path: str) -> str:
    """The options that keep curl from changing a URL, a space after each; "" where it wouldn't."""
    options = "--globoff " if _SEVERAL_URLS.search(url) else ""
    return options + ("--path-as-is " if _DOTS_IN_PATH.search(path) else "")


# --- programs ---------------------------------------------------------------------------------
#
# They share their arguments: `key` is the app key, and `request` isn't signed yet. Where its
# params have what signing adds, that is left out.


def bash(base_url: str, key: str, request: Request) -> str:
    """A bash script: printf, md5sum, openssl and curl, as in the API reference.

    The reference's `openssl dgst -hmac "$SECRET"` shows the secret to everybody who runs `ps`. So
    this script makes the HMAC out of two plain SHA-256s (RFC 2104), and openssl reads all it needs
    from its standard input. It takes any secret: long, not ASCII, with quotes in it.
    """
    text, own, method, path = _checked(request), _own(request), request.method.upper(), request.path
    _refuse_nul("".join([key, text, *(part for pair in own for part in pair)]))
    parameters = [(name, shlex.quote(f"{name}={value}")) for name, value in own]
    parameters += [
        ("auth_key", shlex.quote(f"auth_key={key}")),
        ("auth_timestamp", '"auth_timestamp=$TIMESTAMP"'),
        ("auth_version", "auth_version=1.0"),
    ]
    sent = f"auth_key={quote(key, safe='')}&auth_timestamp=$TIMESTAMP&auth_version=1.0"
    start, send = "# Body, Digest: none, and so no body_md5", ""
    if text:
        start = f"""\
# Body: the exact bytes that are hashed and sent
BODY={shlex.quote(text)}
# Digest
BODY_MD5=$(printf '%s' "$BODY" | md5sum | cut -c 1-32)"""
        parameters.append(("body_md5", '"body_md5=$BODY_MD5"'))
        sent += "&body_md5=$BODY_MD5"
        send = f" \\\n    -H 'Content-Type: {JSON_TYPE}' --data-raw \"$BODY\""
    sent += "".join(f"&{quote(name, safe='')}={quote(value, safe='')}" for name, value in own)
    parameters.sort(key=lambda pair: pair[0])
    lines = "".join(f"    {line}\n" for _, line in parameters)
    return f"""\
#!/usr/bin/env bash
set -euo pipefail

{start}
# Parameters: sorted by key, values as they are
TIMESTAMP=$(date +%s)
PARAMETERS=(
{lines})
IFS='&'
QUERY="${{PARAMETERS[*]}}"
# Canonical string
printf -v CANONICAL '%s\\n%s\\n%s' {method} {shlex.quote(path)} "$QUERY"
# Sign: HMAC-SHA256 by hand, as openssl's -hmac SECRET would show the secret to all who run ps
KEY=$(printf '%s' "$PUSHER_SECRET" | od -An -v -tx1 | tr -d ' \\n')  # its bytes, as hex digits
if [ ${{#KEY}} -gt 128 ]; then
    KEY=$(printf '%s' "$PUSHER_SECRET" | openssl dgst -sha256 -r | cut -c 1-64)
fi
printf -v KEY '%-128s' "$KEY"  # 64 bytes, with zeros at the end
KEY=${{KEY// /0}}
key_xor() {{
    local i bytes=
    for ((i = 0; i < 128; i += 2)); do
        printf -v bytes '%s\\\\x%02x' "$bytes" $((0x${{KEY:i:2}} ^ $1))
    done
    printf "$bytes"
}}
SIGNATURE=$({{
    key_xor 0x5c
    {{ key_xor 0x36; printf '%s' "$CANONICAL"; }} | openssl dgst -sha256 -binary
}} | openssl dgst -sha256 -r | cut -c 1-64)
# Send: the same parameters, URL-encoded
SENT="{sent}"
curl {_options(base_url + path, path)}-X {method} \\
    {shlex.quote(base_url + path)}"?$SENT&auth_signature=$SIGNATURE"{send} \\
    --silent --show-error --write-out '\\n%{{http_code}}\\n'
"""


def python(base_url: str, key: str, request: Request) -> str:
    """A Python program, with httpx."""
    text, own, method, path = _checked(request), _own(request), request.method.upper(), request.path
    start, digest, send = "# Body, Digest: none, and so no body_md5", "", ""
    if text:
        start = f"""\
# Body: the exact bytes that are hashed and sent
body = {text!r}.encode()
# Digest
body_md5 = hashlib.md5(body).hexdigest()"""
        digest = '    ("body_md5", body_md5),\n'
        send = f', content=body, headers={{"Content-Type": "{JSON_TYPE}"}}'
    pairs = "".join(f"    ({name!r}, {value!r}),\n" for name, value in own)
    return f"""\
import hashlib, hmac, os, time
from urllib.parse import urlencode
import httpx

{start}
# Parameters: sorted by key, values as they are
params = [
{pairs}\
    ("auth_key", {key!r}),
    ("auth_timestamp", str(int(time.time()))),
    ("auth_version", "1.0"),
{digest}]
params.sort(key=lambda pair: pair[0])
query = "&".join(f"{{name}}={{value}}" for name, value in params)
# Canonical string
canonical = "\\n".join(["{method}", {path!r}, query])
# Sign
secret = os.environ["PUSHER_SECRET"]
signature = hmac.new(secret.encode(), canonical.encode(), hashlib.sha256).hexdigest()
# Send: the same parameters, URL-encoded
sent = urlencode([*params, ("auth_signature", signature)])
url = {f"{base_url}{path}?"!r} + sent
response = httpx.request("{method}", url{send})
print(response.status_code, response.text)
"""


def node(base_url: str, key: str, request: Request) -> str:
    """A Node program, an ES module (.mjs): node:crypto and fetch, which sends no body with GET."""
    text, own, method, path = _checked(request), _own(request), request.method.upper(), request.path
    if text and method in ("GET", "HEAD"):
        raise ValueError(f"fetch sends no body with {method}. Use POST, or no body.")
    start, digest, headers, send = "// Body, Digest: none, and so no body_md5", "", "", ""
    if text:
        start = f"""\
// Body: the exact bytes that are hashed and sent
const body = Buffer.from({_literal(text)});
// Digest
const bodyMd5 = createHash('md5').update(body).digest('hex');"""
        digest = "  ['body_md5', bodyMd5],\n"
        headers = f"const headers = {{ 'Content-Type': '{JSON_TYPE}' }};\n"
        send = ", headers, body"
    pairs = "".join(f"  [{_literal(name)}, {_literal(value)}],\n" for name, value in own)
    return f"""\
import {{ createHash, createHmac }} from 'node:crypto';

{start}
// Parameters: sorted by key, values as they are
const params = [
{pairs}\
  ['auth_key', {_literal(key)}],
  ['auth_timestamp', String(Math.floor(Date.now() / 1000))],
  ['auth_version', '1.0'],
{digest}];
params.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const query = params.map(([name, value]) => `${{name}}=${{value}}`).join('&');
// Canonical string
const canonical = ['{method}', {_literal(path)}, query].join('\\n');
// Sign
const secret = process.env.PUSHER_SECRET;
const signature = createHmac('sha256', secret).update(canonical).digest('hex');
// Send: the same parameters, URL-encoded
const sent = new URLSearchParams([...params, ['auth_signature', signature]]);
const url = {_literal(base_url + path + "?")} + sent;
{headers}\
const response = await fetch(url, {{ method: '{method}'{send} }});
console.log(response.status, await response.text());
"""


def php(base_url: str, key: str, request: Request) -> str:
    """A PHP program, for PHP 8 without extensions: hash_hmac and a stream."""
    text, own, method, path = _checked(request), _own(request), request.method.upper(), request.path
    start, digest, send = "// Body, Digest: none, and so no body_md5", "", ""
    if text:
        start = f"""\
// Body: the exact bytes that are hashed and sent
$body = {_php(text)};
// Digest
$bodyMd5 = md5($body);"""
        digest = "    ['body_md5', $bodyMd5],\n"
        send = f"$http += ['content' => $body, 'header' => 'Content-Type: {JSON_TYPE}'];\n"
    pairs = "".join(f"    [{_php(name)}, {_php(value)}],\n" for name, value in own)
    return f"""\
<?php
{start}
// Parameters: sorted by key, values as they are
$params = [
{pairs}\
    ['auth_key', {_php(key)}],
    ['auth_timestamp', (string) time()],
    ['auth_version', '1.0'],
{digest}];
usort($params, fn ($a, $b) => strcmp($a[0], $b[0]));
$query = implode('&', array_map(fn ($pair) => "$pair[0]=$pair[1]", $params));
// Canonical string
$canonical = implode("\\n", ['{method}', {_php(path)}, $query]);
// Sign
$secret = getenv('PUSHER_SECRET') ?: throw new Exception('PUSHER_SECRET is not set');
$params[] = ['auth_signature', hash_hmac('sha256', $canonical, $secret)];
// Send: the same parameters, URL-encoded
$sent = array_map(fn ($pair) => implode('=', array_map('rawurlencode', $pair)), $params);
$url = {_php(base_url + path + "?")} . implode('&', $sent);
$http = ['method' => '{method}', 'ignore_errors' => true];
{send}\
$stream = fopen($url, 'r', false, stream_context_create(['http' => $http]));
echo stream_get_meta_data($stream)['wrapper_data'][0], "\\n", stream_get_contents($stream), "\\n";
"""


# What no HTTP client writes in another way (RFC 3986, section 3.3: pchar, and the slash). The slash
# comes first: without it the path would become a part of the host.
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")


def _checked(request: Request) -> str:
    """The body as text, of a request that a command or a program can hold."""
    if not re.fullmatch(r"[A-Za-z]+", request.method):
        raise ValueError(f"method: expected letters, such as POST; got {request.method!r}.")
    if not _PATH.fullmatch(request.path):
        raise ValueError(
            "path: expected it as in the request line, such as /apps/3/events; "
            f"got {request.path!r}."
        )
    try:
        return request.body.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"body: byte {error.start} (0x{request.body[error.start]:02x}) is not UTF-8, so the "
            "text of a program cannot hold it."
        ) from None


def _own(request: Request) -> list[tuple[str, str]]:
    """The request's own parameters: names in lower case, without what signing adds."""
    lowered = [(name.lower(), value) for name, value in request.params]
    return [pair for pair in lowered if pair[0] not in SIGNING_PARAMS]


def _refuse_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("A shell cannot hold a NUL character. Use python, node or php.")


_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _literal(text: str, mark: str = "'", escaped: str = "'\\") -> str:
    """A text in quotes, for JavaScript or PHP; characters that cannot be seen become escapes."""
    shown = []
    for char in text:
        if char in escaped:
            shown.append(f"\\{char}")
        elif char.isprintable():
            shown.append(char)
        else:
            shown.append(_ESCAPES.get(char, f"\\u{{{ord(char):x}}}"))
    return f"{mark}{''.join(shown)}{mark}"


def _php(text: str) -> str:
    r"""In PHP single quotes know no \n, and double quotes read $."""
    return _literal(text) if text.isprintable() else _literal(text, '"', '"\\$')
