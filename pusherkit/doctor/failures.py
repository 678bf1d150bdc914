"""Failures that aren't refusals: nothing was asked, or somebody else answered. Pure.

A request goes from your program over a name, a connection, TLS and perhaps a proxy to the server.
It can end at each hop, and each program says so in its own words: libcurl, Node, Python, Go, Java,
a browser, nginx, Cloudflare. `explain_failure()` says what happened, at which hop, and what to look
at. The limits are here too: a server that says "too large" isn't complaining about the signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from pusherkit.doctor.sentences import refusal_at
from pusherkit.doctor.wrappings import bare, letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What ended a request before its signature could matter.

    `title` is a few words, the others are sentences. `hop` says where on its way the request was,
    and `look_at` what to check there.
    """

    title: str
    what_happened: str
    hop: str
    look_at: str

    def __str__(self) -> str:
        return f"{self.title}. {self.what_happened}\nWhere: {self.hop}\nLook at: {self.look_at}"


def explain_failure(text: str) -> Failure | None:
    """Say what a text tells of a request that failed; None if that isn't what it tells.

    The text may be anything that people paste: an exception, a log, a page of HTML. What comes
    first in it counts, but a page or an empty answer only where nothing says more. None as well
    where it's a server's refusal that comes first.
    """
    text = _TIME_OPTIONS.sub("", text)
    said = letters(text)
    found, refused = failure_in(said, text), refusal_at(said)
    if found is None or (refused >= 0 and (found.weak or refused < found.at)):
        return None
    return found.failure


_TIME_OPTIONS = re.compile(
    # An exception that shows its request's options, as axios's does, names some with "timeout".
    r"\b(?:[a-z]{1,30}T|t)imeout(?:Error|ErrorMessage|s)?\b['\"]?[ ]?(?::|=>?)[ ]?"
    r"(?:true|false|null|undefined|None|-?[0-9.]{1,12})\b,?"
)


class Found(NamedTuple):
    """A failure, and where in the letters of the text its words are."""

    at: int
    failure: Failure
    weak: bool
    """Whether any other words of the text say more, wherever they are."""


def failure_in(said: str, text: str) -> Found | None:
    """The same for who has the letters of the text already: `said` is letters(text)."""
    strong = [(at, make) for words, make in _ROWS if (at := _first(words, said)) >= 0]
    if (number := _CURL.search(said)) and number[1] in _CURL_ERRORS:
        strong.append((number.start(), _CURL_ERRORS[number[1]]))
    weak = [(at, make) for words, make in _WEAK_ROWS if (at := _first(words, said)) >= 0]
    if not strong and not weak:
        return None
    at, make = min(strong or weak, key=itemgetter(0))
    if any(row[1] is _web_page for row in weak) and any(row[1] is _cdn for row in strong):
        make = _cdn  # its pages describe the origin's failure in the words of any other
    near = said[at:] if make in (_web_page, _cdn) else said[at : at + NEAR]
    return Found(at, make(near, bare(text)), weak=not strong)


def _first(words: Iterable[str], said: str) -> int:
    return min((at for word in words if (at := said.find(word)) >= 0), default=-1)


NEAR = 600  # letters in which a message says which of its kinds it is; ours


# --- the ways to fail ---------------------------------------------------------------------------
#
# Each takes the letters from its words on, and the whole text without its wrapping.

_OWN_PROGRAM = "between your program and the network. Nothing was sent, so no server has judged it."
_UP_TO_THE_SERVER = "between your program and the server, before any HTTP. The server got nothing."
_HOSTS = (
    "the host setting. Pusher's is api-CLUSTER.pusher.com, such as api-eu.pusher.com; your own "
    "server's is the name of its machine."
)


def _no_name(said: str, text: str) -> Failure:
    host = _named_host(text)
    look_at = _HOSTS + " Try the name in a terminal: getent hosts NAME, or nslookup NAME."
    if re.fullmatch(r"[a-z]{2}\d?|[a-z]{2}-[a-z]+-\d", host):
        look_at = (
            f"the host setting: {host!r} is the name of a cluster, and a host's name belongs there "
            f"(api-{host}.pusher.com at Pusher). Leave the host empty and set the cluster, or "
            "write out the host."
        )
    elif re.search(r"(?:api|ws|sockjs)-{1,2}(?:undefined|null)?\.pusher", host):
        look_at = (
            f"the cluster setting: it's empty, so the host came to be {host!r}. Is the environment "
            "variable set where the program runs, and is its configuration cached?"
        )
    elif host in ("http", "https"):
        look_at = (
            "the host setting: it holds a whole URL, so http came to be taken for a name. Write "
            "the host alone; scheme and port have settings of their own."
        )
    elif host in ("null", "undefined", "none", "false", "nan"):
        look_at = (
            f"the host setting: it was empty, and became the word {host!r}. Is the environment "
            "variable set where the program runs, and is its configuration cached?"
        )
    elif host and "." not in host:
        look_at = (
            f"the name {host!r}: it has no dot, so it's known in one network only, such as a "
            "Docker Compose project, where services see each other by name. From outside, use "
            "127.0.0.1 and the published port."
        )
    if "eai_again" in said or "temporaryfailureinnameresolution" in said:
        look_at += " Or the name server is out of reach, so that no other name resolves either."
    return Failure(
        title=f"The host's name {_quoted(host)}could not be resolved",
        what_happened="DNS knows no address for it, so no connection was even tried.",
        hop=_OWN_PROGRAM,
        look_at=look_at,
    )


def _no_url(said: str, text: str) -> Failure:
    return Failure(
        title="That is no URL",
        what_happened="Put together from the settings, it lacks its host or has a part that can't "
        "be one, so no connection was even tried.",
        hop=_OWN_PROGRAM,
        look_at="the host, the port and the scheme in your settings: an empty host makes "
        "https://:443/…, and a host that holds a URL makes https://https://…. Is the environment "
        "variable set where the program runs, and is its configuration cached?",
    )


def _no_answer(said: str, text: str) -> Failure:
    return Failure(
        title="No answer came, and the message doesn't say why",
        what_happened="The library had no answer to show: the name, the connection, TLS or the "
        "time may be the reason.",
        hop=_TO_THE_SERVER,
        look_at="the same request by hand, which names the reason: curl -v and the API's URL, from "
        "the machine, or the container, in which the program runs.",
    )


def _nothing_listens(said: str, text: str) -> Failure:
    if said.startswith("failedtoconnecttopusher"):
        return _no_answer(said, text)
    if "timedout" in said or "timeout" in said:
        return _timed_out(said, text)  # libcurl says "failed to connect" of both
    if "noroutetohost" in said or "unreachable" in said:
        return _no_way_there(said, text)
    where = _named_port(text)
    local = bool(re.search(r"\b(?:127\.0\.0\.1|localhost|\[?::1\]?|0\.0\.0\.0)", where))
    if local and where.endswith((":443", ":80")):
        where += ", the SDK's own default port, so the port setting wasn't read"
    return Failure(
        title=f"Nothing was listening{f' at {where}' if where else ''}",
        what_happened="The machine was reached, and no program answered at that port.",
        hop=_UP_TO_THE_SERVER,
        look_at="whether the server runs (pusherkit sandbox, reverb:start, soketi start), and on "
        "which port: the port that browsers use may be a proxy's."
        + (
            " In a container, localhost and 127.0.0.1 are the container itself; use the service's "
            "name, or host.docker.internal."
            if local
            else " A firewall can answer like this as well."
        ),
    )


def _no_way_there(said: str, text: str) -> Failure:
    return Failure(
        title="There is no way to the host",
        what_happened="The network has no route to that address, so nothing was sent.",
        hop=_UP_TO_THE_SERVER,
        look_at="the address, the VPN and the firewall; and whether an IPv6 address was taken in "
        "a network that has IPv4 only.",
    )


def _timed_out(said: str, text: str) -> Failure:
    if "ssl" in said or "tlshandshake" in said:
        what = "The connection stood, and the server never finished TLS."
        look_at = (
            "the scheme and the port: a server that speaks plain HTTP may wait for a request while "
            "your program waits for TLS. For a server with TLS of its own, its certificate files."
        )
    elif any(word in said for word in _READ_TIMES_OUT):
        what = (
            "The request was sent, and no answer came in time. It may have been carried out all "
            "the same: an event may have reached its subscribers."
        )
        look_at = (
            "the server's log, its load, and your time-out. Before you send it again, think of "
            "who gets it twice."
        )
    else:
        what = "No answer came in time; most often, not even to the first packet."
        look_at = (
            "host and port, then the firewall or security group between: one that drops packets "
            "looks like this, and so does a private address seen from outside."
        )
    return Failure(
        title="It took too long", what_happened=what, hop=_TO_THE_SERVER, look_at=look_at
    )


_TO_THE_SERVER = "between your program and the server. Nobody has judged the signature."
_READ_TIMES_OUT = (
    "readtimedout",
    "readtimeout",
    "headerstimeout",
    "bodytimeout",
    "awaitingheaders",
    "timeouterror",
    "abortedduetotimeout",
    "0bytesreceived",
    "withoutreceiving",
)


def _plain_port(said: str, text: str) -> Failure:
    return Failure(
        title="TLS met a port that speaks plain HTTP",
        what_happened="Your program began TLS, and what came back wasn't TLS. A server that gets "
        "such bytes closes the connection, or answers 400.",
        hop=_UP_TO_THE_SERVER,
        look_at="the scheme: http for the server's own port (Reverb 8080, soketi 6001, the "
        "practice server), https for a proxy with a certificate, usually 443. In SDKs it's useTLS, "
        "forceTLS, scheme or encrypted.",
    )


def _tls_port(said: str, text: str) -> Failure:
    return Failure(
        title="Plain HTTP met a port that speaks TLS",
        what_happened="The request went out unencrypted to a port that expects https.",
        hop="at the server's door, before the API saw anything.",
        look_at="the scheme: https (useTLS, forceTLS) for this port.",
    )


def _handshake(said: str, text: str) -> Failure:
    if any(word in said for word in _PLAIN_WORDS):
        return _plain_port(said, text)
    if "certificate" in said or "pkixpath" in said or "x509:" in said:
        return _certificate(said, text)
    return Failure(
        title="TLS could not be agreed on",
        what_happened="The two sides didn't finish the TLS handshake, so nothing was sent.",
        hop=_UP_TO_THE_SERVER,
        look_at="whether that port speaks TLS at all; then the name that your program asks for "
        "(SNI: a host by its name, not by its address), and versions that are too old on one side. "
        "`openssl s_client -connect HOST:PORT -servername HOST` shows what the server offers.",
    )


def _certificate(said: str, text: str) -> Failure:
    what = "Your program doesn't trust the server's certificate."
    look_at = (
        "the list of authorities on your machine (ca-certificates; curl.cainfo in php.ini; "
        "NODE_EXTRA_CA_CERTS; SSL_CERT_FILE), and whether the server sends its intermediate "
        "certificate (fullchain.pem, not cert.pem)."
    )
    if any(word in said for word in ("expired", "notyetvalid", "dateinvalid")):
        what = "The certificate isn't valid at this time."
        look_at = (
            "when it ends (`openssl s_client -connect HOST:PORT | openssl x509 -noout -dates`), "
            "its renewal, a server that hasn't loaded the new one, and your own clock."
        )
    elif any(word in said for word in _ANOTHER_NAME):
        what = "The certificate is for another host name than the one your program asked for."
        look_at = (
            "the host setting: use a name that the certificate names, not an address and not "
            "localhost; and which site answers at that address."
        )
    elif "selfsigned" in said or "self-signed" in said or "depth_zero" in said:
        what = "The server's certificate is self-signed, so no authority vouches for it."
        look_at = (
            "where it comes from (Valet, Herd, mkcert): let your program trust that authority. "
            "On this machine alone, plain http saves you the trouble. Turning the check off is "
            "for a test only."
        )
    return Failure(
        title="The certificate was not accepted",
        what_happened=f"{what} It hung up before it sent the request.",
        hop=_UP_TO_THE_SERVER,
        look_at=look_at,
    )


_ANOTHER_NAME = (
    "altname",
    "alternativecertificatesubject",
    "subjectalternative",
    "hostnamemismatch",
    "doesntmatcheither",
    "ownerdoesnotmatch",
    "certificateisvalidfor",
    "certificateisnotvalidfor",
    "commonnameinvalid",
    "nosubjectalternative",
    "doesnotmatchtargethost",
    "remotecertificatenamemismatch",
)


def _cut_off(said: str, text: str) -> Failure:
    return Failure(
        title="The connection was closed without an answer",
        what_happened="It stood, and the other side closed it before it had answered. Whether the "
        "request arrived isn't known.",
        hop="at the server's door, or at a proxy's.",
        look_at="the scheme first (http to a TLS port, or the reverse, ends like this); then the "
        "server's log: it may have stopped, as soketi does on a batch without `batch`. A "
        "connection kept alive too long is closed like this too, and sending it again helps.",
    )


def _redirected(said: str, text: str) -> Failure:
    return Failure(
        title="The POST came in as another method, or was redirected",
        what_happened="Most often http was redirected to https: a client that follows turns POST "
        "into GET and drops the body, and the path takes no GET. The signature covers the method, "
        "so even the right path would say no.",
        hop="at the web server or proxy in front of the API.",
        look_at="the scheme: name https (useTLS) and the final host yourself, with or without www, "
        "so that nothing is redirected. Else the path: POST goes to /apps/{app_id}/events, with "
        "an app id that isn't empty.",
    )


def _gateway(said: str, text: str) -> Failure:
    return Failure(
        title="A proxy answered, because it had no answer from the server behind it",
        what_happened="502, 503 and 504 come from the proxy: the API behind it is down, busy, or "
        "at another address or port than the proxy thinks.",
        hop="between the proxy (nginx, a load balancer, Cloudflare) and the server.",
        look_at="whether the server runs, and the address in proxy_pass or in the target group: "
        "http or https, host, port. The proxy's error log has the reason.",
    )


_CDN_CODES = {
    "521": "The origin accepted no connection: it's down, or its firewall keeps Cloudflare out.",
    "522": "The origin didn't answer in time: a firewall, or a wrong address in the DNS settings.",
    "523": "The origin cannot be reached: check the address in the DNS settings.",
    "524": "The origin took the connection and gave no answer within 100 seconds.",
    "525": "TLS between Cloudflare and the origin failed: check the origin's certificate and port.",
    "526": "The origin's certificate isn't valid in the mode Full (strict).",
    "1016": "Cloudflare cannot resolve the origin's name.",
    "1020": "A firewall rule at Cloudflare blocks this request.",
    "1015": "A rate limit at Cloudflare blocks this address for a while.",
    "1010": "Cloudflare blocks this kind of client, by its signature or user agent.",
    "1003": "The address was used where Cloudflare wants a name.",
}


_CDN_CODE = re.compile(r"(?:error-?(?:code)?[:>]?|\|)(5[023]\d|10\d\d)(?!\d)")


def _cdn(said: str, text: str) -> Failure:
    code = _CDN_CODE.search(said)
    what = _CDN_CODES.get(code[1] if code else "", "")
    if code and not what and code[1].startswith("5"):
        what = "It had no usable answer from the server behind it."
    if not what:
        what = "It wanted to see a browser that passes a check, and an API client cannot."
    return Failure(
        title="Cloudflare, or another CDN, answered in place of the server",
        what_happened=what,
        hop="at the CDN. The API never saw the request.",
        look_at="a rule that lets /apps/* and /app/* through without challenge and cache, the "
        "origin behind it, or a host name of the API's own that doesn't go through the CDN (DNS "
        "only).",
    )


_WEB_SERVERS = (
    ("<center>nginx", "nginx"),
    ("<center>openresty", "OpenResty"),
    ("<address>apache", "Apache"),
    ("<ahref=/>www.example.com", "Apache"),
    ("apache/2", "Apache"),
    ("microsoft-iis", "IIS"),
    ("litespeed", "LiteSpeed"),
    ("<pre>cannotpost/", "a Node program (Express)"),
    ("<pre>cannotget/", "a Node program (Express)"),
    ("laravel", "a Laravel application"),
    ("theroute", "a Laravel application"),
    ("notfoundhttpexception", "a Laravel application"),
    ("caddy", "Caddy"),
    ("pythonusedinthisserver", "Python's http.server"),
    ("<title>errorresponse</title>", "Python's http.server"),
    ("vite", "a development server (Vite)"),
)


def _cross_origin(said: str, text: str) -> Failure:
    return Failure(
        title="A browser kept it from the page (CORS)",
        what_happened="This API is for servers, and doesn't tell browsers that other pages may use "
        "it. A page that signed would also have the secret, and show it to every visitor.",
        hop="in the browser, before or after the request. Nothing is said of the signature.",
        look_at="which program publishes: let your server do it, and have the page ask your "
        "server. If the URL is your own endpoint's, it's that one that must allow the page's "
        "origin.",
    )


def _web_page(said: str, text: str) -> Failure:
    who = next((name for mark, name in _WEB_SERVERS if mark in said), "")
    return Failure(
        title="A web page came back, so another server answered",
        what_happened=f"The answer is HTML{f' from {who}' if who else ''}. The API answers JSON or "
        "a line of text, and never a page: the request reached a web server that doesn't know it.",
        hop="at a web server that isn't the API, or in front of it.",
        look_at="host and port: does the API listen there, or your site? Two programs may share a "
        "port number, and a proxy may pass on /app (WebSockets) but not /apps (HTTP). The page's "
        "title says what that server made of it.",
    )


def _no_route(said: str, text: str) -> Failure:
    who = next((name for mark, name in _WEB_SERVERS if mark in said), "a server")
    return Failure(
        title="404: nothing is at that path",
        what_happened=f"{who[:1].upper()}{who[1:]} answered that it has nothing at this path: "
        "the app id, the path or the host is wrong.",
        hop="at the server that was reached; it looked at the path only.",
        look_at="the path: /apps/{app_id}/events, once, with an app id that isn't empty (an unset "
        "setting makes /apps//events) and with the prefix that a proxy wants. Then host and port: "
        "is it the API that listens there? At Pusher an unknown app id can look like this too.",
    )


def _no_json(said: str, text: str) -> Failure:
    return Failure(
        title="The answer wasn't JSON",
        what_happened="The library tried to read the answer as JSON and could not: it was empty, "
        "or a page from another web server.",
        hop="after an answer had come; the library's message hides it.",
        look_at="the answer itself: print its status and body, or send the same request with "
        "curl -i. A page of HTML means that another server answered: check host and port.",
    )


def _nothing_said(said: str, text: str) -> Failure:
    return Failure(
        title="The message is empty",
        what_happened="The library reports an error, and the answer had no body.",
        hop="after an answer had come, or none at all.",
        look_at="host and port: another program may listen there, since the API always gives a "
        "reason. Send the same request with curl -i to see the status.",
    )


def _server_failed(said: str, text: str) -> Failure:
    return Failure(
        title="The server failed by itself",
        what_happened="It met an error of its own (500). Reverb does so for a body that isn't JSON "
        "or for a Redis that cannot be reached.",
        hop="inside the server.",
        look_at="the server's log (php artisan reverb:start --debug), and the body: one JSON "
        "object, whole.",
    )


# Too much of something: the server read the request far enough to count.

_AT_THE_API = "at the API, which counts before or after it checks the signature."


def _too_large(said: str, text: str) -> Failure:
    if "requestentitytoolarge" in said or "contenttoolarge" in said:
        limit = (
            "This page is a proxy's: nginx takes 1 MB unless client_max_body_size says more. The "
            "API behind it has a limit of its own"
        )
    elif "10240bytes" in said or "10kb" in said:
        limit = "At Pusher, data may have 10,240 bytes (10 KB) in each event"
    elif "smallerthan10000b" in said:
        limit = "Poxa takes 10,000 bytes of data unless PAYLOAD_LIMIT says more"
    elif "payloadtoolarge" in said and "limitexceeded" not in said:
        limit = (
            "Reverb counts the whole request and takes 10,000 bytes unless max_request_size "
            "(REVERB_MAX_REQUEST_SIZE) says more"
        )
    elif "shouldbelessthan" in said:
        limit = "soketi takes 100 KB of data unless the app's maxEventPayloadInKb says more"
    else:
        limit = "Pusher takes 10 KB of data in each event, and Reverb 10,000 bytes of request"
    return Failure(
        title="It's too large",
        what_happened=f"{limit}; the practice server and its service take 100 KB (102,400 bytes).",
        hop=_AT_THE_API,
        look_at="the size of data in UTF-8, after JSON encoding. Send less, or a reference to the "
        "data that subscribers fetch; on a server of your own, raise the limit.",
    )


def _too_many_channels(said: str, text: str) -> Failure:
    return Failure(
        title="Too many channels",
        what_happened="One event goes to 1 to 100 channels, and that limit was passed.",
        hop=_AT_THE_API,
        look_at="the list of channels: send it in portions of 100, or let those who belong "
        "together share a channel.",
    )


def _too_large_a_batch(said: str, text: str) -> Failure:
    return Failure(
        title="Too many events in a batch",
        what_happened="A batch has 1 to 10 events, and that limit was passed.",
        hop=_AT_THE_API,
        look_at="the list of events: send it in portions of 10.",
    )


def _over_the_quota(said: str, text: str) -> Failure:
    return Failure(
        title="The account's quota is used up",
        what_happened="The plan's messages or connections are spent (403, or 4004 on a WebSocket).",
        hop=_AT_THE_API,
        look_at="the dashboard: the day's messages, the connections open now, and a loop that "
        "opens connections or publishes without end.",
    )


# --- their words --------------------------------------------------------------------------------

_Row = tuple[tuple[str, ...], Callable[[str, str], Failure]]


def _row(make: Callable[[str, str], Failure], *phrases: str) -> _Row:
    return tuple(letters(phrase) for phrase in phrases), make


# libcurl's errors (https://curl.se/libcurl/c/libcurl-errors.html): `curl: (7)`, `cURL error 7:`
_CURL = re.compile(r"curl(?:error|:\()(\d{1,2})(?!\d)")
_CURL_ERRORS: dict[str, Callable[[str, str], Failure]] = {
    "1": _plain_port,
    "3": _no_url,
    "5": _no_name,
    "6": _no_name,
    "7": _nothing_listens,
    "28": _timed_out,
    "35": _handshake,
    "47": _redirected,
    "51": _certificate,
    "52": _cut_off,
    "55": _cut_off,
    "56": _cut_off,
    "58": _certificate,
    "60": _certificate,
    "77": _certificate,
}

_PLAIN_WORDS, _ = _row(
    _plain_port,
    *(
        "wrong version number",
        "server gave HTTP response to HTTPS client",
        "packet length too long",
    ),
    *(
        "first record does not look like a TLS handshake",
        "ERR_SSL_PROTOCOL_ERROR",
        "plaintext connection?",
        "unexpected TLS packet",
    ),
    *("ERR_SSL_WRONG_VERSION_NUMBER", "not an SSL/TLS record", "Unsupported or unrecognized SSL"),
    *("InvalidContentType", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "record layer failure"),
)
_ROWS: tuple[_Row, ...] = (
    _row(
        _no_name,
        *("could not resolve host", "couldn't resolve host", "could not resolve proxy"),
        *(
            "getaddrinfo ENOTFOUND",
            "code: ENOTFOUND",
            "EAI_AGAIN",
            "getaddrinfo failed",
            "php_network_getaddresses",
        ),
        *(
            "name or service not known",
            "UnresolvedAddressException",
            "nodename nor servname",
            "no such host",
        ),
        *("temporary failure in name resolution", "no address associated with hostname"),
        *("UnknownHostException", "unable to resolve host", "failed to resolve", "nxdomain"),
        *("failed to lookup address information", "name could not be resolved", "dns error"),
        *("ERR_NAME_NOT_RESOLVED", "NameResolutionError", "getaddrinfo:", "no answer from dns"),
    ),
    _row(
        _nothing_listens,
        *("ECONNREFUSED", "connection refused", "actively refused", "ERR_CONNECTION_REFUSED"),
        *("couldn't connect to server", "could not connect to server", "failed to connect to"),
        *(
            "WinError 10061",
            "connect call failed",
            "unable to connect to the remote server",
            "java.net.ConnectException",
            "no connection could be made",
        ),
    ),
    _row(
        _no_way_there,
        *("EHOSTUNREACH", "ENETUNREACH", "no route to host", "network is unreachable"),
        *("ERR_ADDRESS_UNREACHABLE", "host is unreachable"),
    ),
    _row(
        _timed_out,
        *(
            "connection timed out",
            "TimeoutError",
            "ReadTimeout: timed out",
            "aborted due to timeout",
            "operation timed out",
            "ETIMEDOUT",
            "ESOCKETTIMEDOUT",
        ),
        *(
            "ConnectTimeout",
            "read timed out",
            "ReadTimeout",
            "i/o timeout",
            "SSL connection timeout",
        ),
        *("context deadline exceeded", "Net::OpenTimeout", "execution expired", "ERR_TIMED_OUT"),
        *("ERR_CONNECTION_TIMED_OUT", "timeout of", "connect timed out"),
        *("SocketTimeoutException",),
        *(
            "HEADERS_TIMEOUT",
            "The operation has timed out",
            "Timeout was reached",
            "WinError 10060",
        ),
    ),
    (_PLAIN_WORDS, _plain_port),
    _row(
        _tls_port,
        *("plain HTTP request was sent to HTTPS port", "sent an HTTP request to an HTTPS server"),
        *("speaking plain HTTP to an SSL-enabled server port",),
    ),
    _row(
        _certificate,
        *(
            "SSL certificate problem",
            "known issuer",
            "certificate's owner does not match",
            "CERTIFICATE_VERIFY_FAILED",
            "certificate verify failed",
        ),
        *("unable to verify the first certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "x509:"),
        *("self signed certificate", "self-signed certificate", "UNABLE_TO_GET_ISSUER_CERT"),
        *("certificate has expired", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"),
        *("does not match certificate's altnames", "PKIX path building failed", "ERR_CERT_"),
        *("no alternative certificate subject name", "remote certificate is invalid"),
        *("unable to get local issuer certificate", "certificate signed by unknown authority"),
        *("peer certificate cannot be authenticated", "invalid peer certificate", "unknown ca"),
        *(
            "CertPathValidatorException",
            "certificate is not trusted",
            "RemoteCertificateNameMismatch",
        ),
        *("RemoteCertificateChainErrors", "hostname mismatch", "DEPTH_ZERO_SELF_SIGNED_CERT"),
    ),
    _row(
        _handshake,
        *(
            "SSLHandshakeException",
            "handshake failure",
            "tls handshake",
            "SSL_ERROR_SYSCALL",
            "write EPROTO",
            "read EPROTO",
            "code: EPROTO",
        ),
        *("SSL connection could not be established", "unrecognized name", "SSL connect error"),
        *("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "could not create SSL/TLS secure channel"),
    ),
    _row(
        _cut_off,
        *(
            "ECONNRESET",
            "header parser received no bytes",
            "unexpected end of file from server",
            "socket hang up",
            "connection reset by peer",
            "empty reply from server",
        ),
        *(
            "remote end closed connection",
            "server disconnected without sending",
            "write EPIPE",
            "code: EPIPE",
        ),
        *(
            "connection was closed unexpectedly",
            "unexpected EOF",
            "ERR_EMPTY_RESPONSE",
            "broken pipe",
        ),
        *(
            "ERR_CONNECTION_RESET",
            "other side closed",
            "ERR_CONNECTION_CLOSED",
            "end of file reached",
        ),
    ),
    _row(
        _cross_origin,
        *("blocked by CORS policy", "Cross-Origin Request Blocked"),
        *(
            "No Access-Control-Allow-Origin header",
            "CORS header Access-Control-Allow-Origin missing",
        ),
    ),
    _row(
        _redirected,
        *("301 moved permanently", "302 found", "307 temporary redirect"),
        *("308 permanent redirect", "method is not supported for", "405 method not allowed"),
        *("405 not allowed", "MethodNotAllowedHttpException", "method not allowed"),
        *("too many redirects",),
        *(
            "status code 301",
            "status code 302",
            "status code 405",
            "status code 307",
            "cannot get /apps",
        ),
    ),
    _row(
        _cdn,
        *(
            "attention required! | cloudflare",
            "just a moment...",
            "cf-error-code",
            "cf-error-details",
        ),
        *(
            "error code: 50",
            "error code: 52",
            "error code: 10",
            "cloudflare ray id",
            "cf_chl_",
            "challenge-platform",
        ),
        *("web server is down", "error 1020", "error 521", "error 522", "error 523", "error 525"),
        *("the request could not be satisfied",),
    ),
    _row(
        _gateway,
        *("502 bad gateway", "504 gateway time", "503 service unavailable"),
        *("no healthy upstream",),
        *(
            "503 service temporarily unavailable",
            "upstream connect error",
            "upstream request timeout",
        ),
        *("status code 502", "status code 503", "status code 504", "bad gateway"),
    ),
    _row(
        _too_large,
        *("exceeds the allowed maximum", "payload too large", "payload_too_large"),
        *("too much data",),
        *(
            "event data should be less than",
            "the payload size is too big",
            "data key must be smaller",
        ),
        *(
            "event payload size",
            "request too large",
            "request entity too large",
            "content too large",
        ),
        *(
            "status code 413",
            "over the limit of 102,400 bytes",
            "the body has",
            "here. pusher itself takes",
        ),
        *("event data too large", "data content of this event exceeds"),
    ),
    _row(
        _too_many_channels,
        *("to more than 100 channels", "maximum of 100 channels", "too many channels"),
        *(
            "number of channels (",
            "max 100 channels",
            "limit of 100 per event",
            "over 100 channels",
        ),
    ),
    _row(
        _too_large_a_batch,
        *(
            "batch-send more than",
            "batch size (",
            "too many events in batch",
            "limit of 10 per batch",
        ),
        *("maximum of 10 events", "batch too large", "batch is too large", "10 events per batch"),
    ),
    _row(
        _over_the_quota,
        *("message quota", "over quota", "connections quota has been reached"),
        *("connection quota", "over adapter quota"),
    ),
    _row(_server_failed, "pusher error: internal server error", "a server error has occurred"),
)
_WEAK_ROWS: tuple[_Row, ...] = (
    _row(_web_page, "<!doctype html", "<html", "<body", "<center><h1>"),
    _row(
        _no_json,
        *("JSONDecodeError", "in JSON at position", "is not valid JSON", "JSON parse error"),
        *("looking for beginning of value", "unexpected end of JSON input"),
        *("Data decoding error", "JSON::ParserError", "unexpected token <"),
    ),
    _row(
        _no_route,
        *("404 not found", "404 page not found", "status code 404", "status code: 404"),
        *("Cannot POST /apps", "pusher error: not found", "the route apps/"),
        *("could not be found", "HTTP/1.1 404", "HTTP/2 404", "default backend - 404"),
    ),
    _row(_server_failed, "500 internal server error", "internal server error", "status code 500"),
    _row(_nothing_said, "pusher error: . in", "pusher error: ."),
)


# --- what the text names ------------------------------------------------------------------------

_NAMED_HOST = re.compile(
    r"(?:resolve host:? ['\"]?|resolve proxy:? |(?:ENOTFOUND|EAI_AGAIN) |dial tcp: lookup "
    r"|UnknownHostException: |getaddrinfo(?: \(| for )|host='|failed to resolve '"
    r"|TCP connection to )"  # Ruby's, with the reason in brackets after it
    r"(?:https?://)?([\w.-]{1,253})",
    flags=re.IGNORECASE,
)
_NAMED_PORT = re.compile(
    r"(?:connect to ([\w.:\[\]-]{1,253}) (?:\([^()\n]{1,80}\) )?port (\d{1,5})"
    r"|(?:ECONNREFUSED|dial tcp) ([\w.:\[\]-]{1,253}:\d{1,5})"
    r"|host='([\w.:-]{1,253})', port=(\d{1,5})"
    r'|"([\w.:-]{1,253})" port (\d{1,5}))',
    flags=re.IGNORECASE,
)


def _named_host(text: str) -> str:
    found = _NAMED_HOST.search(text)
    return found[1].rstrip(".-").lower() if found else ""


def _named_port(text: str) -> str:
    found = _NAMED_PORT.search(text)
    return ":".join(part for part in found.groups() if part) if found else ""


def _quoted(host: str) -> str:
    return f"{host!r} " if host else ""
