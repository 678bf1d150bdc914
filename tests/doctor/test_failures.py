"""Failures that are no refusal: what happened, at which hop, and what to look at.

The clients' messages are as they print them, from requests on loopback to a closed port, to a port
that speaks plain HTTP or TLS, to one that says nothing or hangs up, and to a name that isn't there.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable

import pytest

from pusherkit import Credentials, diagnose_refusal
from pusherkit.doctor.failures import explain_failure

APP = Credentials(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
NAME, PORT, SLOW = "could not be resolved", "Nothing was listening", "It took too long"
PLAIN, TLS, HANDSHAKE = "speaks plain HTTP", "speaks TLS", "TLS could not be agreed on"
CERTIFICATE, CUT = "The certificate was not accepted", "closed without an answer"
REDIRECTED, GATEWAY, CDN = "another method, or was redirected", "A proxy answered", "Cloudflare"
PAGE, ROUTE, NO_JSON = "A web page came back", "404: nothing is at that path", "wasn't JSON"
LARGE, CHANNELS, BATCH = "It's too large", "1 to 100 channels", "1 to 10 events"
QUOTA, FAILED, EMPTY = "quota", "The server failed by itself", "The message is empty"

LARAVEL = "Illuminate\\Broadcasting\\BroadcastException: Pusher error: {}. in /srv/vendor/a.php:164"
SAID: dict[str, list[str]] = {
    NAME: [
        "curl: (6) Could not resolve host: nosuch.invalid",
        LARAVEL.format("cURL error 6: Could not resolve host: ap2 (see https://curl.haxx.se)"),
        "Error: getaddrinfo ENOTFOUND api-xx.pusher.com\n  errno: -3008,\n  code: 'ENOTFOUND'",
        "Error: getaddrinfo EAI_AGAIN reverb",
        "httpx.ConnectError: [Errno -2] Name or service not known",
        "socket.gaierror: [Errno 8] nodename nor servname provided, or not known",
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='eu', port=443): (Caused by "
        "NameResolutionError(\"Failed to resolve 'eu' ([Errno -2] Name or service not known)\"))",
        'Post "https://x.example/apps/3/events": dial tcp: lookup x.example: no such host',
        "java.net.UnknownHostException: nosuch.invalid",
        "php_network_getaddresses: getaddrinfo for x.example failed: Name or service not known",
        "SocketError: Failed to open TCP connection to x.example:443 (getaddrinfo: Name or service "
        "not known)",
        "wget: unable to resolve host address ‘nosuch.invalid’",
        "The remote name could not be resolved: 'x.example'",
        "GET https://x.example/app/k net::ERR_NAME_NOT_RESOLVED",
    ],
    PORT: [
        "curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server",
        LARAVEL.format(
            "cURL error 7: Failed to connect to localhost port 8080: Connection refused"
        ),
        "Error: connect ECONNREFUSED 127.0.0.1:9\n  errno: -111,\n  code: 'ECONNREFUSED'",
        "httpx.ConnectError: [Errno 111] Connection refused",
        "urllib.error.URLError: <urlopen error [WinError 10061] No connection could be made "
        "because the target machine actively refused it>",
        "ClientConnectorError: Cannot connect to host 127.0.0.1:9 ssl:default [Connect call failed "
        "('127.0.0.1', 9)]",
        "java.net.ConnectException: Connection refused",
        "dial tcp 127.0.0.1:8080: connect: connection refused",
        "Failed to open TCP connection to localhost:8080 (Connection refused - connect(2) for "
        '"localhost" port 8080)',
        "Connecting to 127.0.0.1:9... failed: Connection refused.",
        "WebSocket connection to 'ws://localhost:6001/app/k' failed: net::ERR_CONNECTION_REFUSED",
    ],
    SLOW: [
        "curl: (28) Operation timed out after 1001 milliseconds with 0 bytes received",
        LARAVEL.format("cURL error 28: SSL connection timeout"),
        "cURL error 7: Failed to connect to 10.0.0.1 port 443: Connection timed out",
        "requests.exceptions.ReadTimeout: HTTPConnectionPool(host='h', port=80): Read timed out.",
        "httpx.ReadTimeout: timed out",
        "Error: connect ETIMEDOUT 10.0.0.1:443",
        "DOMException [TimeoutError]: The operation was aborted due to timeout",
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        "Net::OpenTimeout: execution expired",
        "AxiosError: timeout of 5000ms exceeded",
    ],
    PLAIN: [
        "curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number",
        "Error: write EPROTO 80:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:",
        "httpx.ConnectError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
        "http: server gave HTTP response to HTTPS client",
        "javax.net.ssl.SSLException: Unrecognized SSL message, plaintext connection?",
        "GnuTLS: An unexpected TLS packet was received.",
    ],
    TLS: [
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
        "Client sent an HTTP request to an HTTPS server.",
    ],
    HANDSHAKE: [
        "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x.example:443",
        "javax.net.ssl.SSLHandshakeException: Received fatal alert: handshake_failure",
    ],
    CERTIFICATE: [
        "curl: (60) SSL certificate problem: self-signed certificate",
        LARAVEL.format("cURL error 60: SSL certificate problem: unable to get local issuer"),
        "httpx.ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "certificate has expired (_ssl.c:1006)",
        "Error: self-signed certificate\n  code: 'DEPTH_ZERO_SELF_SIGNED_CERT'",
        "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames",
        "x509: certificate signed by unknown authority",
        "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid",
        "ERROR: The certificate of ‘127.0.0.1’ doesn't have a known issuer.",
        "Error: unable to verify the first certificate",
    ],
    CUT: [
        "curl: (52) Empty reply from server",
        "curl: (56) Recv failure: Connection reset by peer",
        "Error: socket hang up\n  code: 'ECONNRESET'",
        "httpx.RemoteProtocolError: Server disconnected without sending a response.",
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection without "
        "response'))",
        "java.io.IOException: HTTP/1.1 header parser received no bytes",
        "TypeError: fetch failed\n  [cause]: SocketError: other side closed",
    ],
    REDIRECTED: [
        "<html>\r\n<head><title>301 Moved Permanently</title></head>\r\n<center>nginx</center>",
        LARAVEL.format("<html><head><title>405 Not Allowed</title></head></html>"),
        "The GET method is not supported for route apps/3/events. Supported methods: POST.",
        LARAVEL.format("Method not allowed"),
    ],
    GATEWAY: [
        "<html><head><title>502 Bad Gateway</title></head><center>nginx/1.18.0</center></html>",
        "HTTP/1.1 503 Service Unavailable\r\n\r\nno healthy upstream",
        "<h1>504 Gateway Time-out</h1>",
    ],
    CDN: [
        LARAVEL.format("error code: 502"),
        "error code: 1020",
        '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>',
        "<!DOCTYPE html><html><title>x.example | 522: Connection timed out</title>"
        '<span class="cf-error-code">522</span>',
        "<title>Attention Required! | Cloudflare</title>",
    ],
    PAGE: [
        LARAVEL.format('<!DOCTYPE html>\n<html lang="en"><head><title>Not Found</title></head>'),
        "<html>\n<head><title>404 Not Found</title></head><hr><center>nginx</center></html>",
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">'
        "<title>Bad request!</title>",
        "<!DOCTYPE html><html><body><pre>Cannot POST /apps/3/events</pre></body></html>",
    ],
    ROUTE: [
        LARAVEL.format("404 NOT FOUND\n"),
        LARAVEL.format("Not found."),
        "404 page not found",
        '{"message":"The route apps/3/events could not be found."}',
        "Unexpected status code 404",
    ],
    NO_JSON: [
        "SyntaxError: Unexpected token < in JSON at position 0",
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "invalid character '<' looking for beginning of value",
        "Pusher\\PusherException: Data decoding error.",
    ],
    LARGE: [
        "413: The data content of this event exceeds the allowed maximum (10240 bytes). See https",
        LARAVEL.format("Payload too large."),
        '{"error":"The event data should be less than 100 KB.","code":413}',
        '{"error":"Data key must be smaller than 10000B"}',
        "<html><head><title>413 Request Entity Too Large</title></head></html>",
        "ValueError: Too much data",
        "Event payload size (200000 bytes) for event 'x' exceeds limit (100KB)",
    ],
    CHANNELS: [
        "Error: Can't trigger a message to more than 100 channels",
        "An event can be triggered on a maximum of 100 channels in a single call.",
        '{"error":"Cannot broadcast to more than 100 channels at once","code":400}',
        "Number of channels (101) exceeds limit (100)",
    ],
    BATCH: [
        '{"error":"Cannot batch-send more than 10 messages at once","code":400}',
        "Batch size (11) exceeds limit (10)",
    ],
    QUOTA: [
        '{"event":"pusher:error","data":{"code":4004,"message":"Account over quota"}}',
        "The current concurrent connections quota has been reached.",
        "403 message quota exceeded",
    ],
    FAILED: [LARAVEL.format("Internal server error."), '{"error":"A server error has occurred."}'],
    EMPTY: [LARAVEL.format("")],
}
EACH = [pytest.param(title, text, id=text[:60]) for title, texts in SAID.items() for text in texts]


@pytest.mark.parametrize(("title", "text"), EACH)
def test_it_is_known_for_what_it_is(title: str, text: str) -> None:
    failure = explain_failure(text)
    assert failure is not None
    assert title in f"{failure.title} {failure.what_happened}"
    assert failure.hop.endswith(".")
    assert failure.look_at.endswith(".")


@pytest.mark.parametrize(("title", "text"), EACH)
def test_nobody_refused_anything(title: str, text: str) -> None:
    assert "refus" not in str(explain_failure(text)).lower()
    assert "refus" not in str(diagnose_refusal(text, APP)).lower()


@pytest.mark.parametrize(("title", "text"), EACH)
def test_wrapped_it_is_the_same(title: str, text: str) -> None:
    for wrapped in (json.dumps({"message": text}), html.escape(text), f"\x1b[31m{text}\x1b[0m"):
        failure = explain_failure(wrapped)
        assert failure is not None
        assert title in f"{failure.title} {failure.what_happened}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Could not resolve host: ap2", "'ap2' is the name of a cluster"),
        ("Could not resolve host: mt1", "api-mt1.pusher.com"),
        ("Could not resolve host: https", "holds a whole URL"),
        ("Could not resolve host: api-.pusher.com", "the cluster setting: it's empty"),
        ("Failed to connect to localhost port 443 after 0 ms", "the port setting wasn't read"),
        ("getaddrinfo ENOTFOUND undefined", "became the word 'undefined'"),
        ("getaddrinfo EAI_AGAIN reverb", "it has no dot"),
        ("getaddrinfo EAI_AGAIN reverb", "no other name resolves"),
        ("Could not resolve host: x.example", "nslookup"),
        ("TCP connection to x.example:443 (getaddrinfo: Name or service not known)", "'x.example'"),
        ("cURL error 3: URL using bad/illegal format or missing URL", "an empty host makes"),
        (
            "Error: connect ECONNREFUSED 10.0.0.9:80\n config: { timeout: 0,",
            "Nothing was listening",
        ),
        ("connect ECONNREFUSED 127.0.0.1:8080", "Nothing was listening at 127.0.0.1:8080"),
        ("connect ECONNREFUSED 127.0.0.1:8080", "the container itself"),
        ("Failed to connect to x.example port 443: Connection refused", "A firewall can answer"),
        ("cURL error 28: SSL connection timeout", "never finished TLS"),
        ("Operation timed out after 1001 milliseconds with 0 bytes received", "carried out all"),
        ("connect ETIMEDOUT 10.0.0.1:443", "firewall"),
        ("curl: (7) Failed to connect to 10.0.0.1 port 443 after 3 ms: No route to host", "IPv6"),
        ("BroadcastException: Failed to connect to Pusher.", "the message doesn't say why"),
        ("certificate has expired", "isn't valid at this time"),
        ("does not match certificate's altnames", "for another host name"),
        ("self-signed certificate", "no authority vouches for it"),
        ("unable to get local issuer certificate", "ca-certificates"),
        ("error code: 521", "down, or its firewall"),
        ("error code: 1020", "A firewall rule at Cloudflare"),
        ("error code: 502", "no usable answer from the server behind it"),
        ("exceeds the allowed maximum (10240 bytes)", "At Pusher, data may have 10,240 bytes"),
        ("Pusher error: Payload too large.", "REVERB_MAX_REQUEST_SIZE"),
        ("413 Request Entity Too Large nginx", "client_max_body_size"),
        ("<html><center>nginx</center>", "HTML from nginx"),
        ("<html><address>Apache/2.4.57 (Debian) Server", "HTML from Apache"),
        ("<html><pre>Cannot POST /apps/3/events</pre>", "HTML from a Node program"),
    ],
)
def test_what_can_be_told_apart_is(text: str, expected: str) -> None:
    assert expected in str(explain_failure(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Unknown auth_key",
        '<html><body>Invalid signature: you should have sent HmacSHA256Hex("POST\\n/a\\nb=c", '
        'your_secret_key), but you sent "0"</body></html>',
        "HTTP/1.1 404 Not Found\r\n\r\nNo matching application for ID [x].",
        "Timestamp expired: Given timestamp (a) not within 600s of server time (b)\nsocket hang up",
        "it works",
        # An exception that shows its options, and a header that allows, are no failures.
        "status code 401 { transitional: { clarifyTimeoutError: false }, timeout: 0 }",
        "HTTP/1.1 401 Unauthorized\r\nAccess-Control-Allow-Origin: *\r\n\r\n",
    ],
)
def test_a_refusal_is_none(text: str) -> None:
    assert explain_failure(text) is None


def test_what_comes_first_counts() -> None:
    first, second = "connect ECONNREFUSED 127.0.0.1:9", "Unknown auth_key"
    assert PORT in str(diagnose_refusal(f"{first}\n{second}"))
    assert "app key" in str(diagnose_refusal(f"{second}\n{first}"))


FAMILIES: dict[str, Callable[[int], str]] = {
    "pages": lambda n: "<html>" * (n // 6),
    "hosts": lambda n: "Could not resolve host: " * (n // 24),
    "a long host": lambda n: "Could not resolve host: " + "a.-" * (n // 3),
    "ports": lambda n: "connect to a (b port 1" * (n // 22),
    "codes": lambda n: "error code: " * (n // 12) + "just a moment...<html>",
    "numbers": lambda n: "error|5" * (n // 7) + "just a moment...<html>",
    "options": lambda n: "timeout: 0 timeout = " * (n // 21),
    "curls": lambda n: "curl: (" * (n // 7),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_grows_with_the_text_and_no_faster(
    family: str, growth: Callable[..., None]
) -> None:
    growth(explain_failure, FAMILIES[family], largest=1_000_000, least=100_000)
