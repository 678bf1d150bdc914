"""The doctor: every known mistake, made here by other code, is named; nothing else is.

No request here is made by the doctor. A client below signs by itself, and a Way says in which
of its steps it goes wrong. One test reads the table: to see that no way to go wrong is left out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

import pusherkit.doctor.mistakes
import pusherkit.doctor.search
from pusherkit import Credentials
from pusherkit.doctor.mistakes import IN_REQUESTS, TABLE, Body, every_mistake, known_mistakes
from pusherkit.doctor.search import UNEXPLAINED, UNFINISHED, Diagnosis, diagnose, explain
from pusherkit.signing import Request, judge

Pair = tuple[str, str]
NOW = 1_353_088_179  # seconds
KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
OWNER = Credentials(app_id="3", key=KEY, secret=SECRET, base_url="https://ws-sa.mawjly.com:8443")
OTHER_APP = Credentials(app_id="4", key="ffd425bdf160c7398031", secret="1f2e3d4c5b6a79880a1b")
EVENTS, BATCH = "/apps/3/events", "/apps/3/batch_events"
BODY = r'{"name":"greet","channels":["project-3"],"data":"{\"msg\":\"Zażółć ☕\"}"}'.encode()
VALUE = json.loads(BODY)
PUBLISHED = json.loads(
    Path(__file__).parents[1].joinpath("vectors.json").read_text(encoding="utf-8")
)

# --- a client that signs by itself, and can go wrong in each of its steps -----------------------


def md5(data: bytes | str) -> str:
    return hashlib.md5(data.encode() if isinstance(data, str) else data).hexdigest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def joined(pairs: list[Pair]) -> str:
    return "&".join(f"{key}={value}" for key, value in pairs)


def by_key(pairs: list[Pair]) -> list[Pair]:
    return sorted(((k.lower(), v) for k, v in pairs), key=lambda pair: pair[0])


@dataclass(frozen=True, kw_only=True)
class Client:
    """What goes over the wire, and what is signed where a mistake makes that another thing."""

    owner: Credentials = OWNER  # of whom the doctor knows
    method: str = "POST"
    path: str = EVENTS
    body: bytes = BODY
    key: str = KEY
    timestamp: int | float = NOW
    hashes_nothing: bool = False  # sends a body_md5 although there is no body
    before: tuple[Pair, ...] = (("info", "user_count,subscription_count"), ("in", "a/b c"))
    after: tuple[Pair, ...] = (("Name", "Something else"),)

    signed_method: str | None = None
    signed_path: str | None = None
    signed_digest: str | None = None
    sent_digest: str | None = None
    signed_timestamp: str | None = None
    secret: bytes = SECRET.encode()
    query: Callable[[list[Pair]], str] = lambda pairs: joined(by_key(pairs))
    text: Callable[[str, str, str, bytes], str] = lambda m, p, q, body: f"{m}\n{p}\n{q}"
    mac: Callable[[bytes, bytes], bytes] = lambda k, m: hmac.new(k, m, hashlib.sha256).digest()
    written: Callable[[bytes], str] = bytes.hex

    def params(self, digest: str, timestamp: str) -> list[Pair]:
        """In the order of the URL, which is not sorted."""
        return [
            *self.before,
            *([("body_md5", digest)] if self.body or self.hashes_nothing else []),
            ("auth_version", "1.0"),
            *self.after,
            ("auth_timestamp", timestamp),
            ("auth_key", self.key),
        ]

    def made(self) -> dict[str, Any]:
        """What each step gave, by the axis of its mistakes; and what the steps worked on."""
        made: dict[str, Any] = {
            "digest": self.signed_digest or md5(self.body),
            "timestamp": self.signed_timestamp or str(self.timestamp),
            "method": self.signed_method or self.method,
            "path": self.signed_path or self.path,
            "secret": self.secret,
        }
        made["pairs"] = self.params(made["digest"], made["timestamp"])
        made["query"] = self.query(made["pairs"])
        made["lines"] = (made["method"], made["path"], made["query"])
        made["newline"] = self.text(*made["lines"], self.body)
        made["mac"] = self.mac(self.secret, made["newline"].encode())
        made["encoding"] = self.written(made["mac"])
        return made

    def sent(self) -> list[Pair]:
        params = self.params(self.sent_digest or md5(self.body), str(self.timestamp))
        return [*params, ("auth_signature", self.made()["encoding"])]

    def diagnosed(self, **options: Any) -> Diagnosis:
        options = {"now": self.timestamp, "others": [OTHER_APP], **options}
        return diagnose(self.owner, self.method, self.path, self.sent(), self.body, **options)


@dataclass(frozen=True)
class Way:
    """One way to make a mistake: its name, the axis, how, and the steps of Client that change."""

    name: str
    axis: str
    how: str
    steps: dict[str, Any]
    also: frozenset[str] = field(default=frozenset())  # other names that are as true, see `why`
    why: str = ""
    alone: bool = False  # tried where all else is right, so not in pairs
    noted: bool = False  # a rule besides the signature is broken, and a note says so

    def __str__(self) -> str:
        return f"{self.name}: {self.how}"


SPACED = json.dumps(VALUE, ensure_ascii=False).encode()
SORTED = {key: VALUE[key] for key in ("channels", "data", "name")}
COMPACT = {"separators": (",", ":")}
EMOJI = '{"a": "🎉","b":1}'.encode()
EMPTY_DIGEST = "d41d8cd98f00b204e9800998ecf8427e"  # the MD5 of nothing
# A digest that has two names: both give it, so both are told.
COMPACT_ALREADY = "the body is compact JSON, so serialising it again changes the escapes alone"
ENDED = "the body is compact JSON, so serialising it again takes off the newline alone"
SPACED_ALREADY = "the body has the usual spaces, so serialising it again changes the escapes alone"
TWO_NAMES = {
    ("body-escaped-to-ascii", r"\u"): ("body-serialised-again", COMPACT_ALREADY),
    ("body-serialised-again", "compact and escaped"): ("body-escaped-to-ascii", COMPACT_ALREADY),
    ("body-serialised-again", "spaces and escapes, sent with spaces"): (
        "body-escaped-to-ascii",
        SPACED_ALREADY,
    ),
    ("newline-sent-not-hashed", "LF"): ("body-serialised-again", ENDED),
    ("newline-sent-not-hashed", "CRLF"): ("body-serialised-again", ENDED),
    ("newline-sent-not-hashed", "both of two"): ("body-serialised-again", ENDED),
    ("newline-sent-not-hashed", "both of two, CRLF"): ("body-serialised-again", ENDED),
    **{
        ("line-breaks-taken-out", f"{indent!r}, no newline at the end"): (
            "body-pretty-printed",
            "the file was that JSON, and had its line breaks",
        )
        for indent in ("  ", "    ", "\t")
    },
}


def dumps_of(value: object) -> list[str]:
    """The JSON of a value, compact and with spaces, as it is and in ASCII."""
    styles: list[dict[str, Any]] = [COMPACT, {}]
    texts = [json.dumps(value, ensure_ascii=a, **s) for a in (False, True) for s in styles]
    return list(dict.fromkeys(texts))


def with_zeros(made: Callable[[int], str]) -> int:
    """A number with which a hash begins with one zero, and has another one to lose."""
    zeros = re.compile("0[1-9a-f](..)*0[1-9a-f]")
    return next(n for n in range(10_000) if zeros.match(made(n)))


def each_byte(hexdigest: str) -> str:
    """Hex as String(byte, HEX) writes it: 0a is a."""
    return "".join(f"{int(hexdigest[at : at + 2], 16):x}" for at in range(0, len(hexdigest), 2))


def separated(hexdigest: str) -> dict[str, str]:
    """Hex with something between its digits, by who writes it so."""
    pairs = [hexdigest[at : at + 2] for at in range(0, len(hexdigest), 2)]
    eights = [hexdigest[at : at + 8] for at in range(0, len(hexdigest), 8)]
    middle = eights if len(eights) < 7 else [*eights[:4], "...", *eights[-2:]]
    return {
        "BitConverter": "-".join(pairs).upper(),
        "dashes": "-".join(pairs),
        "colons": ":".join(pairs),
        "OpenSSL's -c": ":".join(pairs).upper(),
        "spaces": " ".join(pairs),
        "xxd": " ".join(pairs).upper(),
        "commas": ", ".join(pairs),
        "commas, upper case": ", ".join(pairs).upper(),
        "escapes": "".join(rf"\x{pair}" for pair in pairs),
        "literals": " ".join(f"0x{pair}" for pair in pairs),
        "groups": " ".join(eights),
        "NSData": f"<{' '.join(eights)}>",
        "NSData from iOS 13 on": f"{{length = {len(pairs)}, bytes = 0x{' '.join(middle)} }}",
    }


FIELDS = {"name": "greet", "channels": "project-3,project-4", "data": '{"msg":"é &"}'}
AS_LIST = {**FIELDS, "channels": ["project-3,project-4"]}
SPLIT = {**FIELDS, "channels": ["project-3", "project-4"]}
FORMS: dict[str, tuple[bytes, list[str]]] = {  # a body, and the texts that were hashed
    "fields": (
        urlencode(FIELDS).encode(),
        [text for value in (FIELDS, AS_LIST, SPLIT) for text in dumps_of(value)],
    ),
    "fields with []": (
        urlencode({"channels[]": ["a", "b"]}, doseq=True).encode(),
        dumps_of({"channels": ["a", "b"]}),
    ),
    "fields with numbers": (b"channels[0]=a&channels[1]=b", dumps_of({"channels": ["a", "b"]})),
    "the JSON, percent-encoded": (quote_plus(BODY).encode(), [BODY.decode()]),
    "the same, as a name": (quote(BODY).encode() + b"=", [BODY.decode()]),
    "the same, in a field": (b"payload=" + quote_plus(BODY).encode(), [BODY.decode()]),
}
ODD = b'{"a":1,\r\n "b":2}'  # JSON as no library writes it, in two lines
INDENTED = json.dumps(json.loads(ODD), indent=2)
ZERO_BODY = b'{"try":%d}' % with_zeros(lambda n: md5(b'{"try":%d}' % n))


def digest_ways() -> list[Way]:
    """Each wrong digest in two forms: signed and sent, and signed while the right one is sent."""

    def dumped(value: object = VALUE, **options: Any) -> str:
        return md5(json.dumps(value, **options))

    wrong: list[tuple[str, str, str, bytes]] = [  # the last is the body that is sent
        ("body-serialised-again", "spaces", dumped(ensure_ascii=False), BODY),
        ("body-serialised-again", "spaces and escapes", dumped(), BODY),
        ("body-serialised-again", "compact and escaped", dumped(**COMPACT), BODY),
        ("body-serialised-again", "compact, sent with spaces", md5(BODY), SPACED),
        (
            "body-serialised-again",
            "compact and escaped, sent with spaces",
            dumped(**COMPACT),
            SPACED,
        ),
        ("body-serialised-again", "spaces and escapes, sent with spaces", dumped(), SPACED),
        *(
            (
                "body-pretty-printed",
                f"by {indent!r}, {'escaped' if ascii_only else 'as it is'}",
                dumped(indent=indent, ensure_ascii=ascii_only),
                BODY,
            )
            for indent in ("  ", "    ", "\t")
            for ascii_only in (False, True)
        ),
        ("body-keys-sorted", "compact", dumped(SORTED, **COMPACT, ensure_ascii=False), BODY),
        ("body-keys-sorted", "compact and escaped", dumped(SORTED, **COMPACT), BODY),
        ("body-keys-sorted", "spaces", dumped(SORTED, ensure_ascii=False), BODY),
        ("body-keys-sorted", "spaces and escapes", dumped(SORTED), BODY),
        (
            "body-escaped-to-ascii",
            r"\u",
            md5(re.sub("[^ -~]", lambda match: rf"\u{ord(match[0]):04x}", BODY.decode())),
            BODY,
        ),
        (
            "body-escaped-to-ascii",
            "two escapes for one character, a space left where it was",
            md5(b'{"a": "\\ud83c\\udf89","b":1}'),
            EMOJI,
        ),
        (
            "body-in-latin-1",
            "? for the rest",
            md5(BODY.decode().encode("latin-1", "replace")),
            BODY,
        ),
        ("body-in-latin-1", "low bytes", md5(bytes(ord(c) & 255 for c in BODY.decode())), BODY),
        ("body-in-latin-1", "nothing lost", md5(b'{"data":"caf\xe9"}'), '{"data":"café"}'.encode()),
        ("body-in-latin-1", "? for an emoji", md5(b'{"a": "?","b":1}'), EMOJI),
        ("body-in-latin-1", "low bytes of an emoji", md5(b'{"a": "\x3c\x89","b":1}'), EMOJI),
        *(
            (
                "newline-hashed-not-sent",
                f"{one} more than {sent!r}",
                md5(BODY + sent + end),
                BODY + sent,
            )
            for one, end in (("LF", b"\n"), ("CRLF", b"\r\n"))
            for sent in (b"", b"\n", b"\r\n")
        ),
        ("newline-sent-not-hashed", "LF", md5(BODY), BODY + b"\n"),
        ("newline-sent-not-hashed", "CRLF", md5(BODY), BODY + b"\r\n"),
        ("body-empty", "empty", EMPTY_DIGEST, BODY),
        ("digest-in-base64", "24 characters", b64(hashlib.md5(BODY).digest()), BODY),
        ("digest-in-upper-case", "upper case", f"{int(md5(BODY), 16):032X}", BODY),
        ("digest-by-sha256", "SHA-256", hashlib.sha256(BODY).hexdigest(), BODY),
        ("newline-sent-not-hashed", "both of two", md5(BODY), BODY + b"\n\n"),
        ("newline-sent-not-hashed", "one of two", md5(BODY + b"\n"), BODY + b"\n\n"),
        ("newline-sent-not-hashed", "both of two, CRLF", md5(BODY), BODY + b"\r\n\r\n"),
        ("newline-sent-not-hashed", "one of two, CRLF", md5(BODY + b"\r\n"), BODY + b"\r\n\r\n"),
        ("data-hashed-alone", "its text", md5(VALUE["data"]), BODY),
        *(
            ("data-hashed-alone", f"{text} of {body!r}", md5(text), body)
            for body in (BODY, b'{"data":{"a":["\xc3\xa9",1]}}', b'{"batch":[{"data":"x"}]}')
            for part in [json.loads(body).get("data") or json.loads(body)["batch"]]
            for text in dumps_of(part)
        ),
        ("body-sent-in-latin-1", "é", md5('{"data":"é"}'), b'{"data":"\xe9"}'),
        ("body-sent-in-latin-1", "€ of Windows", md5('{"data":"€"}'), b'{"data":"\x80"}'),
        ("body-sent-in-latin-1", "the byte of €", md5('{"data":"\x80"}'), b'{"data":"\x80"}'),
        ("body-in-utf-8-twice", "é", md5('{"data": "é" }'), '{"data": "Ã©" }'.encode()),
        ("body-in-utf-16", "little endian", md5(BODY.decode().encode("utf-16-le")), BODY),
        *(
            ("body-sent-form-encoded", f"{how}: {text}", md5(text), body)
            for how, (body, texts) in FORMS.items()
            for text in texts
        ),
        ("form-hashed-json-sent", "channels=", md5(urlencode(VALUE, doseq=True)), BODY),
        (
            "form-hashed-json-sent",
            "channels[]=",
            md5(
                urlencode(
                    {"name": "greet", "channels[]": VALUE["channels"], "data": VALUE["data"]},
                    doseq=True,
                )
            ),
            BODY,
        ),
        ("line-breaks-converted", "LF hashed", md5(b'{"a":1,\n "b":2}'), ODD),
        ("line-breaks-converted", "CRLF hashed", md5(ODD), b'{"a":1,\n "b":2}'),
        *(
            (
                "line-breaks-taken-out",
                f"{indent!r}, {how}",
                md5(text + end),
                text.replace("\n", "").encode(),
            )
            for indent in ("  ", "    ", "\t")
            for text in [json.dumps(json.loads(ODD), indent=indent)]
            for how, end in (("no newline at the end", ""), ("a newline at the end", "\n"))
        ),
        *(
            ("digest-without-leading-zeros", how, text, ZERO_BODY)
            for how, text in {
                "of the number": md5(ZERO_BODY).lstrip("0"),
                "of the number, upper case": md5(ZERO_BODY).lstrip("0").upper(),
                "of each byte": each_byte(md5(ZERO_BODY)),
                "of each byte, upper case": each_byte(md5(ZERO_BODY)).upper(),
            }.items()
        ),
    ]
    alone: list[tuple[str, str, str, bytes]] = [
        *(
            ("digest-with-separators", how, text, BODY)
            for how, text in separated(md5(BODY)).items()
        ),
        ("digest-of-an-example", "as it's hashed", "ec365a775a4cd0599faeb73354201b6f", BODY),
        ("digest-of-an-example", "as it's printed", "579b8a8e534ef643584173842a590c6e", BODY),
        (
            "digest-of-an-example",
            "of the reference",
            md5(r'{"name":"message","channel":"chat","data":"{\"text\":\"hello\"}"}'),
            BODY,
        ),
        (
            "digest-of-an-example",
            "of the reference, as it's printed",
            md5(r'{ "name": "message", "channel": "chat", "data": "{\"text\":\"hello\"}" }'),
            BODY,
        ),
        *(
            ("body-hash-in-a-wrapper", wrapper, wrapper.format(md5(BODY)), BODY)
            for wrapper in ("Some({})", "Optional[{}]", "{}  -", 'b"{}"')
        ),
    ]
    empty = {"method": "GET", "body": b"", "hashes_nothing": True}
    ways = []
    for name, how, digest, body in wrong:
        twin, why = TWO_NAMES.get((name, how), ("", ""))
        also = frozenset({twin} if twin else ())
        signed = {"body": body, "signed_digest": digest}
        both = {**signed, "sent_digest": digest}
        ways.append(Way(name, "digest", f"{how}; signed and sent", both, also, why))
        ways.append(Way(name, "digest", f"{how}; signed only", signed, also, why))
    for name, how, digest, body in alone:
        signed = {"body": body, "signed_digest": digest, "sent_digest": digest}
        ways.append(Way(name, "digest", how, signed, alone=True))
    for text in ("{}", "[]", "null", '""', "undefined"):
        wrong_of_nothing = {**empty, "sent_digest": md5(text), "signed_digest": md5(text)}
        ways.append(
            Way(
                "digest-of-an-empty-value", "digest", text, wrong_of_nothing, noted=True, alone=True
            )
        )
    return ways


def query_way(name: str, how: str, query: Callable[[list[Pair]], str], **sent: Any) -> Way:
    return Way(name, "query", how, {"query": query, **sent})


def encoded_by(encode: Callable[[str], str]) -> Callable[[list[Pair]], str]:
    return lambda pairs: joined([(key, encode(value)) for key, value in by_key(pairs)])


def in_lower_case(plain: str, *, space: str = "%20") -> Callable[[str], str]:
    """Percent-encoding by %2c, not %2C, of all but letters, digits, -._~ and what stays plain."""
    plain = f"{string.ascii_letters}{string.digits}-._~{plain}"
    return lambda value: "".join(
        char if char in plain else "".join(f"%{byte:02x}" for byte in char.encode())
        for char in value
    ).replace("%20", space)


def without(name: str) -> Callable[[list[Pair]], str]:
    return lambda pairs: joined([pair for pair in by_key(pairs) if pair[0] != name])


QUERY_WAYS = [
    query_way(
        "parameters-unsorted", "URL's order", lambda p: joined([(k.lower(), v) for k, v in p])
    ),
    *(
        query_way("values-url-encoded", how, encoded_by(encode))
        for how, encode in [
            ("%20 %2C %2F", lambda value: quote(value, safe="")),
            ("+ %2C %2F", quote_plus),
            ("%20 %2C /", quote),
            ("%20 %2c %2f", in_lower_case("")),
            ("+ %2c %2f", in_lower_case("", space="+")),
            ("%20 %2c /", in_lower_case("/")),
        ]
    ),
    query_way(
        "keys-not-lower-cased",
        "sorted by bytes",
        lambda pairs: joined(sorted(pairs, key=lambda pair: pair[0])),
    ),
    query_way(
        "keys-not-lower-cased",
        "sorted as if lower-cased",
        lambda pairs: joined(sorted(pairs, key=lambda pair: pair[0].lower())),
    ),
    query_way(
        "empty-signature-signed",
        "auth_signature=",
        lambda pairs: joined(by_key([*pairs, ("auth_signature", "")])),
    ),
    query_way(
        "empty-body-signed",
        "a GET",
        lambda pairs: joined(by_key([*pairs, ("body_md5", EMPTY_DIGEST)])),
        method="GET",
        body=b"",
    ),
    query_way("auth-version-not-signed", "left out", without("auth_version")),
    query_way("body-md5-not-signed", "left out", without("body_md5")),
    query_way(
        "other-parameters-not-signed",
        "left out",
        lambda p: joined([(k, v) for k, v in by_key(p) if k in REQUIRED]),
        before=(("filter_by_prefix", "presence-"), ("info", "user_count")),
    ),
    query_way("values-without-names", "a line each", lambda p: "\n".join(v for _, v in by_key(p))),
    query_way(
        "values-without-names",
        "a line each, without the version",
        lambda p: "\n".join(v for k, v in by_key(p) if k != "auth_version"),
    ),
    query_way("third-line-empty", "nothing", lambda pairs: ""),
    query_way(
        "joined-before-sorting",
        "= after 2",
        lambda pairs: "&".join(sorted(f"{k.lower()}={v}" for k, v in pairs)),
        before=(("info", "1"), ("info2", "0")),
    ),
    replace(
        query_way(
            "sorted-with-values",
            "2 after 1",
            lambda pairs: joined(sorted((k.lower(), v) for k, v in pairs)),
            before=(("c", "2"), ("c", "1")),
        ),
        also=frozenset({"joined-before-sorting"}),
        why="sorted as whole texts, they're sorted by value, too",
    ),
]
ALONE_IN_QUERY = [
    replace(query_way(name, how, query), alone=True)
    for name, how, query in [
        ("values-without-names", "by &", lambda p: "&".join(v for _, v in by_key(p))),
        ("values-without-names", "by nothing", lambda p: "".join(v for _, v in by_key(p))),
        ("values-without-names", "in the URL's order", lambda p: "\n".join(v for _, v in p)),
        *(
            (
                "value-signed-in-a-wrapper",
                f"{wrapper} around {name}",
                lambda p, name=name, wrapper=wrapper: joined(
                    [(k, wrapper.format(v) if k == name else v) for k, v in by_key(p)]
                ),
            )
            for name, wrapper in [
                ("auth_key", 'Optional("{}")'),
                ("auth_timestamp", "Some({})"),
                ("body_md5", "Optional[{}]"),
                ("body_md5", "b'{}'"),
            ]
        ),
        (
            "value-signed-in-a-wrapper",
            "Some(…) around each",
            lambda p: joined([(k, f"Some({v})") for k, v in by_key(p)]),
        ),
        (
            "parameters-joined-otherwise",
            "a line each",
            lambda p: "\n".join(f"{k}={v}" for k, v in by_key(p)),
        ),
        (
            "parameters-joined-otherwise",
            "&amp;",
            lambda p: "&amp;".join(f"{k}={v}" for k, v in by_key(p)),
        ),
    ]
]


def path_way(name: str, signed: str, sent: str = EVENTS, host: str = OWNER.base_url) -> Way:
    steps = {"path": sent, "signed_path": signed, "owner": replace(OWNER, base_url=host)}
    return Way(name, "path", f"{signed} for {sent} at {host}", steps)


HOST = "ws-sa.mawjly.com"
BEHIND_A_PROXY = f"/some/proxy{EVENTS}"
SLASH_TWICE = f"/{EVENTS}"
APP_TWICE = f"/apps/3{EVENTS}"
PATH_WAYS = [
    path_way("slash-missing", "apps/3/events"),
    *(
        path_way("full-url-as-path", f"{start}{EVENTS}", host=f"http://{host}")
        for host, starts in {
            f"{HOST}:8443": (f"https://{HOST}:8443", f"http://{HOST}:8443", f"{HOST}:8443", HOST),
            HOST: (f"https://{HOST}", f"http://{HOST}", HOST),
            "[::1]": ("https://[::1]", "http://[::1]", "[::1]", "::1"),
            "[::1]:80": ("https://[::1]:80", "http://[::1]:80", "[::1]:80", "[::1]", "::1"),
        }.items()
        for start in starts
    ),
    path_way("question-mark-kept", f"{EVENTS}?"),
    path_way("trailing-slash", f"{EVENTS}/"),
    path_way("trailing-slash", EVENTS, f"{EVENTS}/"),
    *(
        path_way("prefix-on-one-side", f"{prefix}{sent}", sent)
        for prefix in ("/api", "/pusher", "/app", "/ws", "/reverb", "/soketi")
        for sent in (EVENTS, BEHIND_A_PROXY, SLASH_TWICE, APP_TWICE)
    ),
    path_way("prefix-on-one-side", EVENTS, BEHIND_A_PROXY),
    path_way("prefix-on-one-side", EVENTS, APP_TWICE),
    path_way("two-slashes-sent", EVENTS, SLASH_TWICE),
    path_way("two-slashes-sent", EVENTS, "/apps//3/events"),
    path_way("two-slashes-signed", SLASH_TWICE),
    *(
        path_way("end-of-path-signed", signed, sent)
        for sent in (EVENTS, BEHIND_A_PROXY, APP_TWICE, SLASH_TWICE)
        for signed in ("/3/events", "3/events", "/events", "events")
    ),
    path_way("end-of-path-signed", "/2/events", "/v1/2/events"),
    path_way("end-of-path-signed", "2/events", "/v1/2/events"),
    path_way("end-of-path-signed", "/events", "/v1/2/events"),
    path_way("end-of-path-signed", "events", "/v1/2/events"),
    *(
        path_way("path-encoded-otherwise", f"/apps/3/channels/{signed}", f"/apps/3/channels/{sent}")
        for sent, every in {
            "a%2Cb": ("a,b", "a%2cb", "a%252Cb"),
            "a%2cb": ("a,b", "a%2Cb", "a%252cb"),
            "a,b": ("a%2Cb",),
        }.items()
        for signed in every
    ),
    path_way("another-apps-path", EVENTS, "/apps/524717/events"),
    path_way("batch-path-exchanged", BATCH),
    path_way("batch-path-exchanged", EVENTS, BATCH),
    path_way("key-in-path", f"/apps/{KEY}/events"),
]

ALONE_IN_PATH = [
    replace(path_way(name, signed, sent), alone=True)
    for name, signed, sent in [
        ("prefix-on-one-side", f"/sockets{EVENTS}", EVENTS),
        ("prefix-on-one-side", f"/websockets{EVENTS}", EVENTS),
        ("prefix-on-one-side", f"/api/v1{EVENTS}", EVENTS),
        ("prefix-on-one-side", f"/ws-sa{EVENTS}", EVENTS),  # as the host is called
        ("another-apps-path", "/apps/6855671/events", EVENTS),
        ("another-apps-path", "/apps/undefined/events", EVENTS),
    ]
]


def method_way(name: str, signed: str, sent: str = "POST") -> Way:
    steps = {"method": sent, "signed_method": signed}
    return Way(name, "method", f"{signed} for {sent}", steps)


METHOD_WAYS = [
    method_way("method-in-lower-case", "post"),
    method_way("method-in-lower-case", "Post"),
    method_way("method-in-lower-case", "post", "post"),
    *(
        method_way("another-method", signed, sent)
        for sent in ("POST", "GET", "PUT", "DELETE")
        for signed in ("GET", "POST", "PUT")
        if signed != sent
    ),
]


def newline_way(
    name: str, how: str, text: Callable[[str, str, str, bytes], str], **sent: bytes
) -> Way:
    return Way(name, "newline", how, {"text": text, **sent})


NEWLINE_WAYS = [
    newline_way("newline-written-out", r"\n", lambda m, p, q, body: rf"{m}\n{p}\n{q}"),
    newline_way("newline-as-crlf", "CRLF", lambda m, p, q, body: f"{m}\r\n{p}\r\n{q}"),
    newline_way("newline-at-the-end", "LF", lambda m, p, q, body: f"{m}\n{p}\n{q}\n"),
    newline_way("newline-missing", "nothing", lambda m, p, q, body: f"{m}{p}{q}"),
    newline_way("newline-missing", "spaces", lambda m, p, q, body: f"{m} {p} {q}"),
    newline_way("question-mark-for-newline", "?", lambda m, p, q, body: f"{m}\n{p}?{q}"),
    newline_way("question-mark-for-newline", "both", lambda m, p, q, body: f"{m}?{p}?{q}"),
    newline_way(
        "body-appended",
        "4 lines",
        lambda m, p, q, body: f"{m}\n{p}\n{q}\n{body.decode()}",
        body=BODY,
    ),
    newline_way("line-missing", "no method", lambda m, p, q, body: f"{p}\n{q}"),
    newline_way("line-missing", "no method, and a ?", lambda m, p, q, body: f"{p}?{q}"),
    newline_way("line-missing", "parameters alone", lambda m, p, q, body: q),
    newline_way("line-missing", "no path", lambda m, p, q, body: f"{m}\n{q}"),
    newline_way("two-lines-signed", "no newline after them", lambda m, p, q, body: f"{m}\n{p}"),
]
ALONE_IN_NEWLINE = [
    replace(newline_way(name, how, text), alone=True)
    for name, how, text in [
        ("body-signed", "the body", lambda m, p, q, body: body.decode()),
        ("body-signed", "its hash", lambda m, p, q, body: md5(body)),
        ("text-signed-in-a-wrapper", "Some(…)", lambda m, p, q, body: f"Some({m}\n{p}\n{q})"),
        ("text-signed-in-a-wrapper", "JSON", lambda m, p, q, body: json.dumps(f"{m}\n{p}\n{q}")),
        (
            "text-signed-in-a-wrapper",
            "a repr",
            lambda m, p, q, body: repr(f"{m}\n{p}\n{q}".encode()),
        ),
    ]
]

WHOLE_HOURS = range(60, 15 * 60, 60)  # up to Kiribati's 14
# Clocks that differ from UTC by something else than whole hours, and who has them.
MINUTES_FROM_UTC = {
    -9 * 60 - 30: "Marquesas",
    -3 * 60 - 30: "Newfoundland",
    -2 * 60 - 30: "Newfoundland in summer",
    3 * 60 + 30: "Iran",
    4 * 60 + 30: "Afghanistan",
    5 * 60 + 30: "India",
    5 * 60 + 45: "Nepal",
    6 * 60 + 30: "Myanmar",
    8 * 60 + 45: "Eucla",
    9 * 60 + 30: "Adelaide",
    10 * 60 + 30: "Adelaide in summer",
    12 * 60 + 45: "Chatham",
    13 * 60 + 45: "Chatham in summer",
}
# UTC taken for local time errs by as much as local time taken for UTC, to the other side.
MINUTES_OFF = [sign * m for m in (*MINUTES_FROM_UTC, *WHOLE_HOURS) for sign in (-1, 1)]
TIMESTAMP_WAYS = [
    Way("timestamp-in-milliseconds", "timestamp", "000", {"signed_timestamp": "1353088179000"}),
    Way(
        "timestamp-sent-in-milliseconds",
        "timestamp",
        "ms",
        {"timestamp": 1353088179123, "signed_timestamp": "1353088179"},
    ),
    Way("timestamp-with-fraction", "timestamp", ".0", {"signed_timestamp": "1353088179.0"}),
    Way(
        "timestamp-sent-with-fraction",
        "timestamp",
        "rounded down",
        {"timestamp": NOW + 0.481, "signed_timestamp": str(NOW)},
        noted=True,
    ),
    Way(
        "timestamp-sent-with-fraction",
        "timestamp",
        "rounded up",
        {"timestamp": NOW + 0.781, "signed_timestamp": str(NOW + 1)},
        noted=True,
    ),
    *(
        Way(name, "timestamp", how, {"signed_timestamp": signed}, alone=True)
        for name, how, signed in [
            ("timestamp-in-milliseconds", "with their digits", "1353088179481"),
            ("timestamp-with-fraction", "three digits", "1353088179.481"),
            ("timestamp-with-fraction", "one digit", "1353088179.5"),
        ]
    ),
    *(
        Way(
            "timestamp-of-another-second",
            "timestamp",
            f"{seconds:+d} s",
            {"signed_timestamp": str(NOW + seconds)},
        )
        for seconds in (-2, -1, 1, 2)
    ),
    *(
        Way(
            "timestamp-in-local-time",
            "timestamp",
            f"{minutes:+d} minutes",
            {"signed_timestamp": str(NOW + minutes * 60)},
        )
        for minutes in sorted(set(MINUTES_OFF))
    ),
]


def secret_way(name: str, how: str, secret: bytes) -> Way:
    return Way(name, "secret", how, {"secret": secret})


SECRET_WAYS = [
    secret_way("secret-with-newline", "LF", b"7ad3773142a6692b25b8\n"),
    secret_way("secret-with-newline", "CRLF", b"7ad3773142a6692b25b8\r\n"),
    secret_way("secret-with-spaces", "behind", b"7ad3773142a6692b25b8 "),
    secret_way("secret-with-spaces", "before", b" 7ad3773142a6692b25b8"),
    secret_way("secret-with-spaces", "both", b" 7ad3773142a6692b25b8 "),
    secret_way("secret-in-quotes", "single", b"'7ad3773142a6692b25b8'"),
    secret_way("secret-in-quotes", "double", b'"7ad3773142a6692b25b8"'),
    secret_way("secret-in-quotes", "backticks", b"`7ad3773142a6692b25b8`"),
    secret_way("secret-hex-decoded", "hex", b"z\xd3w1B\xa6i+%\xb8"),
    secret_way("secret-base64-decoded", "base64", base64.b64decode(SECRET)),
    secret_way("app-key-as-secret", "key", KEY.encode()),
    secret_way("secret-base64-encoded", "base64", b"N2FkMzc3MzE0MmE2NjkyYjI1Yjg="),
    secret_way("secret-base64-encoded", "echo | base64", base64.b64encode(f"{SECRET}\n".encode())),
    secret_way("secret-empty", "empty", b""),
    replace(secret_way("placeholder-as-secret", "undefined", b"undefined"), alone=True),
    replace(secret_way("placeholder-as-secret", "a template", b"${PUSHER_SECRET}"), alone=True),
    replace(secret_way("app-id-as-secret", "app id", b"3"), alone=True),
    secret_way("another-apps-secret", "app 4", OTHER_APP.secret.encode()),
]


def mac_way(name: str, mac: Callable[[bytes, bytes], bytes]) -> Way:
    return Way(name, "mac", name.replace("-", " "), {"mac": mac})


MAC_WAYS = [
    mac_way("key-and-message-swapped", lambda k, m: hmac.new(m, k, hashlib.sha256).digest()),
    mac_way("hmac-sha1", lambda k, m: hmac.new(k, m, hashlib.sha1).digest()),
    mac_way("hmac-md5", lambda k, m: hmac.new(k, m, hashlib.md5).digest()),
    mac_way("hmac-sha512", lambda k, m: hmac.new(k, m, hashlib.sha512).digest()),
    mac_way("hash-of-secret-and-string", lambda k, m: hashlib.sha256(k + m).digest()),
    mac_way("hash-of-string-and-secret", lambda k, m: hashlib.sha256(m + k).digest()),
    mac_way("hash-without-secret", lambda k, m: hashlib.sha256(m).digest()),
]

# This request's signature has + and / in base64, so that its forms differ.
WITH_PLUS_AND_SLASH = {"after": (("Name", "Something else"), ("try", "8"))}
ENCODING_WAYS = [
    Way("signature-in-base64", "encoding", how, {"written": written, **WITH_PLUS_AND_SLASH})
    for how, written in [
        ("of the bytes", b64),
        ("of the bytes, its + arrived as a space", lambda raw: b64(raw).replace("+", " ")),
        ("URL-safe", lambda raw: b64(raw).translate({43: 45, 47: 95})),
        ("of the hex", lambda raw: b64(raw.hex().encode())),
        ("without =", lambda raw: b64(raw).rstrip("=")),
        ("URL-safe, without =", lambda raw: b64(raw).translate({43: 45, 47: 95}).rstrip("=")),
    ]
]
ENCODING_WAYS += [
    Way("signature-in-upper-case", "encoding", "hex", {"written": lambda raw: raw.hex().upper()}),
    *(
        Way(
            "signature-with-separators",
            "encoding",
            how,
            {"written": lambda raw, how=how: separated(raw.hex())[how]},
        )
        for how in separated("")
    ),
    *(
        Way(
            "signature-as-numbers",
            "encoding",
            how,
            {"written": lambda raw, write=write: write(raw)},
        )
        for how, write in {
            "a list": lambda raw: str(list(raw)),
            "a list without spaces": lambda raw: str(list(raw)).replace(" ", ""),
            "JavaScript's String()": lambda raw: ",".join(map(str, raw)),
            "with spaces": lambda raw: ", ".join(map(str, raw)),
            "Java's Arrays.toString()": lambda raw: str([b - 256 * (b > 127) for b in raw]),
            "Java's, without spaces": lambda raw: str([b - 256 * (b > 127) for b in raw]).replace(
                " ", ""
            ),
            "Java's, bare": lambda raw: str([b - 256 * (b > 127) for b in raw]).strip("[]"),
            "Java's, joined": lambda raw: (
                str([b - 256 * (b > 127) for b in raw]).replace(" ", "").strip("[]")
            ),
        }.items()
    ),
]
LOST_ZEROS: dict[str, Callable[[bytes], str]] = {
    "of the number": lambda raw: raw.hex().lstrip("0"),
    "of the number, upper case": lambda raw: raw.hex().lstrip("0").upper(),
    "of each byte": lambda raw: each_byte(raw.hex()),
    "of each byte, upper case": lambda raw: each_byte(raw.hex()).upper(),
}
ZERO_TRY = with_zeros(lambda n: str(Client(after=(("try", str(n)),)).made()["encoding"]))
ENCODING_WAYS += [
    Way(
        "signature-without-leading-zeros",
        "encoding",
        how,
        {"written": written, "after": (("try", str(ZERO_TRY)),)},
        alone=True,  # in a pair, the signature is another one, perhaps without zeros to lose
    )
    for how, written in LOST_ZEROS.items()
]
WRAPPINGS = ("Some({})", "Optional[{}]", "0x{}", "b'{}'", '"{}"', "<{}>", "(stdin)= {}", "{}\n")
ENCODING_WAYS += [
    Way(
        "signature-in-a-wrapper",
        "encoding",
        wrapping,
        {"written": lambda raw, wrapping=wrapping: wrapping.format(raw.hex())},
    )
    for wrapping in WRAPPINGS
]

NOT_IN_THE_TABLE = {"another-apps-secret", "signature-in-a-wrapper", "body-hash-in-a-wrapper"}
WAYS = [
    *digest_ways(),
    *QUERY_WAYS,
    *ALONE_IN_QUERY,
    *PATH_WAYS,
    *ALONE_IN_PATH,
    *METHOD_WAYS,
    *NEWLINE_WAYS,
    *ALONE_IN_NEWLINE,
    *TIMESTAMP_WAYS,
    *SECRET_WAYS,
    *MAC_WAYS,
    *ENCODING_WAYS,
]


def told(way: Way) -> set[frozenset[str]]:
    """The findings that are true of a way: by its name, and by another one if it has two."""
    return {frozenset({name}) for name in (way.name, *way.also)}


def names(diagnosis: Diagnosis) -> list[frozenset[str]]:
    return [frozenset(m.name for m in finding.mistakes) for finding in diagnosis.findings]


def over(cases: Iterable[Any]) -> Callable[[Callable[[Any], None]], Callable[[], None]]:
    """Make one test of a check and its cases, which says at its end which of them failed, and how.

    Hundreds of cases share one idea here; as hundreds of tests they'd take longer to list than to
    run.
    """

    def decorate(check: Callable[[Any], None]) -> Callable[[], None]:
        def test() -> None:
            failed: dict[str, str] = {}
            for case in cases:
                try:
                    check(case)
                except Exception as error:
                    failed[str(case)] = f"{type(error).__name__}: {error}"
            assert failed == {}

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


# --- every single mistake -----------------------------------------------------------------------


@over(WAYS)
def test_a_mistake_is_named_and_no_other(way):
    client = replace(Client(), **way.steps)
    diagnosis = client.diagnosed()
    assert not diagnosis.valid
    found = names(diagnosis)
    assert set(found) == told(way)
    assert len(found) == len(set(found))
    named = next(finding for finding in diagnosis.findings if finding.mistakes[0].name == way.name)
    assert named.mistakes[0].axis == way.axis
    sent = dict(client.sent())
    digest_was_sent = "sent_digest" in way.steps
    assert named.reproduced == sent["body_md5" if digest_was_sent else "auth_signature"]
    assert named.mistakes[0].why in str(diagnosis)
    assert named.mistakes[0].fix in str(diagnosis)
    assert named.reproduced in str(diagnosis)
    assert {finding.canonical_string for finding in diagnosis.findings} == {
        client.made()["newline"]
    }
    assert UNEXPLAINED not in str(diagnosis)
    assert bool(diagnosis.notes) == way.noted


def test_every_known_mistake_is_made_here():
    axes = {mistake.name: mistake.axis for mistake in every_mistake()}
    assert len(axes) == len(every_mistake())
    assert {mistake.name for mistake in known_mistakes()} <= axes.keys()
    assert {way.name for way in WAYS} == axes.keys() | NOT_IN_THE_TABLE
    assert all(axes.get(way.name, way.axis) == way.axis for way in WAYS)


def arguments(request: dict[str, Any], client: Client) -> dict[str, tuple[Any, ...]]:
    """What the table's functions are told of a request, by their axis."""
    return {
        "digest": (Body(client.body),),
        "query": (request["pairs"],),
        "path": (client.path, client.owner),
        "method": (client.method.upper(),),
        "newline": (request["lines"], Body(client.body)),
        "timestamp": (request["timestamp"],),
        "secret": (client.owner,),
        "mac": (request["secret"], request["newline"].encode()),
        "encoding": (request["mac"],),
    }


WHAT_IS_SENT = ("owner", "method", "path", "body", "before", "after")


def test_every_way_of_the_table_to_make_a_mistake_is_made_here():
    """For each request of a Way, other ones make whatever else the table makes of it."""
    made: dict[tuple[object, ...], set[Any]] = {}
    tables: dict[tuple[object, ...], set[Any]] = {}
    rows = [*chain(*TABLE.values(), *IN_REQUESTS.values())]
    for way in WAYS:
        if way.alone or way.name in NOT_IN_THE_TABLE:
            continue  # there are too many values to make each of them, or any number
        sent = {name: way.steps[name] for name in WHAT_IS_SENT if name in way.steps}
        client = replace(Client(), **sent)
        right = replace(client, signed_method=client.method.upper()).made()
        given = arguments(right, client)[way.axis]
        here = (way.name, *map(repr, given))
        made.setdefault(here, {right[way.axis]}).add(
            replace(Client(), **way.steps).made()[way.axis]
        )
        if here not in tables:
            functions = [function for mistake, function in rows if mistake.name == way.name]
            tables[here] = {value for function in functions for value in function(*given)}
    missing = {here: values - made[here] for here, values in tables.items()}
    assert {here: values for here, values in missing.items() if values} == {}


def test_no_two_ways_of_a_mistake_send_the_same_request():
    requests = []
    for way in WAYS:
        client = replace(Client(), **way.steps)
        host = client.owner.base_url
        requests.append((way.name, host, client.method, client.path, client.body, client.sent()))
    assert len({repr(request) for request in requests}) == len(requests)


def test_a_request_without_a_mistake_is_valid_here():
    assert Client().diagnosed() == Diagnosis(valid=True)
    assert str(Client().diagnosed()) == "The request is signed as it should be."


def test_another_apps_secret_is_named_only_where_that_app_is_known():
    client = Client(secret=OTHER_APP.secret.encode())
    assert client.diagnosed(others=[]).findings == ()
    assert names(client.diagnosed(others=[OWNER, OTHER_APP])) == [{"another-apps-secret"}]
    assert names(client.diagnosed(others=iter([OTHER_APP]))) == [{"another-apps-secret"}]


@pytest.mark.slow
@over([w for w in WAYS if "sent_digest" in w.steps])
def test_a_wrong_digest_that_was_sent_but_not_signed_is_named(way):
    spoiled_after_signing = {**way.steps, "signed_digest": None}
    client = replace(Client(), **spoiled_after_signing)
    diagnosis = client.diagnosed()
    assert set(names(diagnosis)) == told(way)
    assert {finding.reproduced for finding in diagnosis.findings} == {way.steps["sent_digest"]}
    assert {f.canonical_string for f in diagnosis.findings} == {client.made()["newline"]}
    assert bool(diagnosis.notes) == way.noted
    other = replace(client, signed_method="PUT").diagnosed()
    assert set(names(other)) == {name | {"another-method"} for name in told(way)}


@pytest.mark.slow
@over([w for w in WAYS if "sent_digest" in w.steps])
def test_a_wrong_digest_beside_an_unknown_secret_is_noted(way):
    client = Client(**way.steps, secret=b"0123456789abcdef0123")
    diagnosis = client.diagnosed()
    assert diagnosis.findings == ()
    note = diagnosis.notes[0]
    assert md5(client.body) in note
    assert way.steps["sent_digest"] in note
    assert diagnosis.unexplained == UNEXPLAINED


def test_a_request_without_a_body_has_no_mistakes_of_the_body():
    step = next(w.steps for w in NEWLINE_WAYS if w.name == "newline-at-the-end")
    assert names(Client(method="GET", body=b"", **step).diagnosed()) == [{"newline-at-the-end"}]


def test_a_json_escape_that_is_half_a_character_hides_no_mistake():
    body = rb'{"name":"\ud83c","data":""}'  # half an emoji; it can be written as an escape only
    digest = md5(rb'{"name": "\ud83c", "data": ""}')
    client = Client(body=body, signed_digest=digest, sent_digest=digest)
    assert names(client.diagnosed()) == [{"body-serialised-again"}]


def test_the_text_of_a_diagnosis_has_a_paragraph_for_each_note_and_finding():
    way = next(way for way in WAYS if way.also)
    client = replace(Client(), **way.steps)
    diagnosis = client.diagnosed(now=NOW + 1000)
    (note,) = diagnosis.notes
    lines = [note]
    for finding in diagnosis.findings:
        (mistake,) = finding.mistakes
        lines += [f"{mistake.name}: {mistake.why}", f"  Fix: {mistake.fix}"]
        lines += [f"  Proof: this gives exactly what was sent, {finding.reproduced}"]
    lines.insert(1, "Each of these 2 explanations gives exactly what was sent.")
    assert str(diagnosis).split("\n") == lines
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("module", "hashing", "least", "most"),
    [
        (hmac, "digest", 5000, 60),
        (pusherkit.doctor.mistakes, "_md5", 10, 2),
    ],
)
def test_a_search_asks_whether_to_go_on_before_it_hashes_much(
    monkeypatch, module, hashing, least, most
):
    """Much: signatures of a canonical string, which is short; digests of a body, which is not."""
    request = Request("GET", EVENTS, Client(secret=b"0123456789abcdef0123").sent(), BODY)
    verdict = judge(OWNER, request, now=NOW)
    expected = explain(OWNER, request, verdict)
    hashed, real = [0], getattr(module, hashing)

    def counted(*arguments: Any) -> Any:
        hashed[-1] += 1
        return real(*arguments)

    def go_on() -> bool:
        hashed.append(0)
        return True

    monkeypatch.setattr(module, hashing, counted)
    assert explain(OWNER, request, verdict, go_on=go_on) == expected
    assert sum(hashed) > least
    assert max(hashed) <= most


@pytest.mark.parametrize("steps", [0, 1, 10, 100])
def test_a_search_that_may_not_go_on_says_so_and_claims_nothing(steps):
    request = Request("GET", EVENTS, Client(secret=b"0123456789abcdef0123").sent(), BODY)
    verdict = judge(OWNER, request, now=NOW)
    left = iter(range(steps))
    stopped = explain(OWNER, request, verdict, go_on=lambda: next(left, None) is not None)
    assert stopped == Diagnosis(valid=False, unexplained=UNFINISHED)
    assert UNEXPLAINED not in str(stopped)


def test_a_mapping_will_do_for_the_parameters():
    client = Client(signed_method="GET")
    diagnosis = diagnose(OWNER, "POST", EVENTS, dict(client.sent()), BODY, now=NOW)
    assert diagnosis == client.diagnosed()
    assert names(diagnosis) == [{"another-method"}]


# Repeated keys are sorted by key alone: c=2&c=1 stays so (signing.canonical_string).
REPEATED = {"before": (("c", "2"), ("c", "1")), "after": ()}


def test_repeated_keys_alone_are_no_mistake():
    late = Client(**REPEATED).diagnosed(now=NOW + 5000)
    assert late.findings == ()
    assert len(late.notes) == 1


@over([w for w in {w.name: w for w in WAYS}.values() if w.axis not in ("digest", "query")])
def test_a_mistake_beside_repeated_keys_is_named_and_no_other(way):
    assert set(names(replace(Client(**REPEATED), **way.steps).diagnosed())) == told(way)


@over(
    [
        w
        for w in QUERY_WAYS
        if w.name not in ("parameters-unsorted", "keys-not-lower-cased") and "before" not in w.steps
    ]
)
def test_a_mistake_in_a_query_with_repeated_keys_is_named_and_no_other(way):
    repeated = {"before": (("c", "b /,"), ("c", "a /,")), "after": ()}
    client = replace(Client(), **{**way.steps, **repeated})
    assert names(client.diagnosed()) == [{way.name}]


def test_a_secret_decoded_from_base64_loses_what_is_no_base64():
    owner = replace(OWNER, secret="my_own-secrets")
    client = Client(owner=owner, secret=base64.b64decode("myownsecrets"))
    assert names(client.diagnosed()) == [{"secret-base64-decoded"}]


# --- pairs --------------------------------------------------------------------------------------

PAIRS = 500


def random_pairs(count: int) -> list[tuple[Way, Way]]:
    """Pairs on different axes. Each Way comes as often as every other, with random partners."""
    rng = random.Random(20121116)
    pairs: list[tuple[Way, Way]] = []
    paired = [way for way in WAYS if not way.alone]
    while len(pairs) < count:
        for one in rng.sample(paired, len(paired)):
            partners = [w for w in paired if w.axis != one.axis and not w.steps.keys() & one.steps]
            pairs.append((one, rng.choice(partners)))
    return pairs[:count]


UNSIGNED = {"third-line-empty", "two-lines-signed"}  # these sign no parameters at all


def swallowed(one: Way, two: Way) -> bool:
    """Whether the second mistake is in what wasn't signed: then the first is the whole truth."""
    in_the_hash = two.axis == "digest" and "sent_digest" not in two.steps
    return (
        (one.name == "body-md5-not-signed" and in_the_hash)
        or (one.name in UNSIGNED and (in_the_hash or two.axis in ("query", "timestamp")))
        or (one.how == "no path" and two.axis == "path")
        or (one.how in ("no method", "no method, and a ?") and two.axis == "method")
        or (one.how == "parameters alone" and two.axis in ("path", "method"))
    )


def told_of_two(one: Way, two: Way) -> set[frozenset[str]]:
    if swallowed(one, two):
        return told(one)
    if swallowed(two, one):
        return told(two)
    return {first | second for first in told(one) for second in told(two)}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_of_random_pairs_both_are_named(part):
    wrong = []
    for one, two in random_pairs(PAIRS)[part::10]:
        found = names(replace(Client(), **one.steps, **two.steps).diagnosed())
        if set(found) != told_of_two(one, two) or len(found) != len(set(found)):
            wrong.append(f"{one} + {two}: {[sorted(f) for f in found]}")
    assert wrong == []


def test_the_random_pairs_reach_every_way_and_most_pairs_of_axes():
    pairs = random_pairs(PAIRS)
    assert len(pairs) == PAIRS
    assert {way for pair in pairs for way in map(str, pair)} == {
        str(way) for way in WAYS if not way.alone
    }
    axes = {frozenset((one.axis, two.axis)) for one, two in pairs}
    assert len(axes) >= 30  # of the 36 pairs of nine axes


def test_three_mistakes_are_not_named():
    two = {"signed_method": "GET", "signed_path": f"{EVENTS}/"}
    diagnosis = Client(**two, signed_timestamp=str(NOW + 1)).diagnosed()
    assert diagnosis == Diagnosis(valid=False, unexplained=UNEXPLAINED)
    assert "three or more mistakes at once" in str(diagnosis)
    digest = md5(BODY + b"\n")
    diagnosis = Client(**two, signed_digest=digest, sent_digest=digest).diagnosed()
    assert diagnosis.findings == ()
    assert "three or more mistakes at once" in str(diagnosis)


# --- valid requests -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["id"]) for v in PUBLISHED["vectors"] if v["kind"] == "rest"]
)
def test_a_published_request_is_valid(vector):
    owner = Credentials(
        app_id=vector.get("app_id", "3"), key=vector["key"], secret=vector["secret"]
    )
    params = [
        *((key, value) for key, value in vector["params"]),
        ("auth_key", vector["key"]),
        ("auth_timestamp", str(vector["timestamp"])),
        ("auth_version", "1.0"),
        *([("body_md5", vector["body_md5"])] if vector["body_md5"] else []),
        ("auth_signature", vector["signature"]),
    ]
    arguments = (owner, vector["method"], vector["path"], params, vector["body"].encode())
    beside = diagnose(*arguments).notes
    for now in (vector["timestamp"], vector["timestamp"] + 600, None):
        assert diagnose(*arguments, now=now) == Diagnosis(valid=True, notes=beside)
    late = diagnose(*arguments, now=vector["timestamp"] + 10_000)
    assert not late.valid
    assert late.findings == ()
    assert len(late.notes) == 1 + len(beside)
    # The one thing to say beside it: Python's library hashes the body that a GET doesn't have.
    hashes_nothing = not vector["body"] and "body_md5" in {name for name, _ in params}
    copied = vector["key"] != KEY and vector["body_md5"] == md5(EXAMPLE)
    assert len(beside) == hashes_nothing + copied


def test_the_digest_of_an_empty_body_may_be_sent_if_it_is_signed():
    way = next(way for way in QUERY_WAYS if way.name == "empty-body-signed")
    client = replace(Client(), **way.steps)
    assert not client.diagnosed().valid
    sent = [*client.sent(), ("body_md5", EMPTY_DIGEST)]
    diagnosis = diagnose(OWNER, client.method, EVENTS, sent, now=NOW)
    assert diagnosis.valid
    (note,) = diagnosis.notes
    assert note.startswith("body_md5 was sent with a GET, which has no body.")
    assert str(diagnosis) == f"The request is signed as it should be.\n{note}"


EXAMPLE = (
    r'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}'  # the published one
)
LETTERS = "abcXYZ019 /+%&=?,;'\"\\~é☕🎉\n"


def random_client(rng: random.Random) -> Client:
    def text(least: int, most: int) -> str:
        return "".join(rng.choices(LETTERS, k=rng.randint(least, most)))

    def pairs() -> tuple[tuple[str, str], ...]:
        keys = ["info", "Info", "filter_by_prefix", "c", "C", "zoë", text(1, 6)]
        return tuple((rng.choice(keys), text(0, 8)) for _ in range(rng.randint(0, 4)))

    bodies = [b"", BODY, rng.randbytes(30), text(1, 30).encode(), json.dumps(text(0, 9)).encode()]
    return Client(
        method=rng.choice(["GET", "POST", "post", "Put", "DELETE"]),
        path=rng.choice([EVENTS, BATCH, "/", "/apps/3/channels/a%20b", "/api/apps/3/événements/"]),
        body=rng.choice(bodies),
        timestamp=rng.choice([NOW, 0, 1, 999_999_999_999_999, rng.randrange(10**10)]),
        before=pairs(),
        after=pairs(),
    )


def upper(client: Client) -> Client:
    return replace(client, signed_method=client.method.upper())


@over(range(60))
def test_a_random_valid_request_is_valid(seed):
    client = upper(random_client(random.Random(seed)))
    assert client.diagnosed() == Diagnosis(valid=True)
    assert client.diagnosed(now=None) == Diagnosis(valid=True)
    late = client.diagnosed(now=client.timestamp + 1000)
    assert (late.valid, late.findings) == (False, ())
    assert len(late.notes) == 1


@over(range(40))
def test_what_is_named_in_a_random_request_is_proven(seed):
    """Whatever the request: sent with a mistake, that mistake is among the answers."""
    rng = random.Random(seed)
    client = upper(random_client(rng))
    ways = [*MAC_WAYS, *SECRET_WAYS, *ENCODING_WAYS, *NEWLINE_WAYS[:6]]
    way = rng.choice([way for way in ways if not way.alone])
    found = names(replace(client, **way.steps).diagnosed())
    assert found == [{way.name}]


@over(range(40))
def test_a_mistake_in_a_random_query_is_named_if_it_changes_anything(seed):
    rng = random.Random(seed)
    right = upper(random_client(rng))
    way = rng.choice([way for way in QUERY_WAYS if way.name != "empty-body-signed"])
    wrong = replace(right, **way.steps)
    found = names(wrong.diagnosed())
    if wrong.sent() == right.sent():
        assert found == []
    else:  # another name, too, only if it gives the same text
        assert {way.name} in found
        assert {len(finding) for finding in found} == {1}


# --- honestly unknown ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_random_signature_is_not_explained(seed):
    client = Client(written=lambda raw: random.Random(seed).randbytes(32).hex())
    diagnosis = client.diagnosed()
    assert diagnosis == Diagnosis(valid=False, unexplained=UNEXPLAINED)
    assert str(diagnosis) == UNEXPLAINED
    for possible in ("different app's secret", "path prefix", "three or more mistakes"):
        assert possible in str(diagnosis)
    assert "body" not in str(diagnosis), "one that was altered fails at body_md5, not here"


def test_an_unknown_secret_is_not_explained():
    diagnosis = Client(secret=b"0123456789abcdef0123").diagnosed()
    assert diagnosis == Diagnosis(valid=False, unexplained=UNEXPLAINED)
    assert "a different app's secret" in str(diagnosis)


@pytest.mark.parametrize(
    ("arrived", "looks"),
    [
        (BODY.replace(b"greet", b"great"), ""),
        (b"[]", ""),
        (BODY[:-1], f"The body is cut short: it has {len(BODY) - 1} bytes"),
        (BODY[:40], "The body is cut short: it has 40 bytes"),
        (b"\xff", "The body that arrived isn't UTF-8 (byte 0)."),
        ('{"a":"caf\ufffd"}'.encode(), "The body holds U+FFFD"),
        (b"name=x&data=y", "The body looks form-encoded."),
        (b"name=x&channels=y&channels[]=z", "The body looks form-encoded."),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_that_changed_on_its_way_is_told_with_both_digests(arrived, looks):
    diagnosis = diagnose(OWNER, "POST", EVENTS, Client().sent(), arrived, now=NOW)
    assert (diagnosis.valid, diagnosis.findings) == (False, ())
    note, *more = diagnosis.notes
    assert len(more) == (1 if looks else 0)
    assert all(each.startswith(looks) for each in more)
    assert md5(arrived) in note
    assert md5(BODY) in note
    assert note in str(diagnosis)


def test_a_body_that_never_arrived():
    diagnosis = diagnose(OWNER, "POST", EVENTS, Client().sent(), b"", now=NOW)
    assert diagnosis.findings == ()
    assert md5(BODY) in diagnosis.notes[0]


@pytest.mark.parametrize(("late", "word"), [(601, "behind"), (86_400, "behind"), (-1000, "ahead")])
def test_notes_tell_the_difference_of_the_clocks_and_both_times(late, word):
    (note,) = Client().diagnosed(now=NOW + late).notes
    assert f"{abs(late)} s {word}" in note
    assert "2012-11-16T17:49:39Z" in note
    assert {601: "17:59:40Z", 86_400: "2012-11-17T17:49:39Z", -1000: "17:32:59Z"}[late] in note


def test_a_wrong_clock_hides_neither_a_mistake_nor_that_none_is_known():
    diagnosis = Client(signed_method="GET").diagnosed(now=NOW + 1000)
    assert names(diagnosis) == [{"another-method"}]
    assert "1000 s behind" in diagnosis.notes[0]
    assert "1000 s behind" in str(diagnosis)
    assert "another-method" in str(diagnosis)
    unknown = Client(secret=b"0123456789abcdef0123").diagnosed(now=NOW + 1000)
    assert "1000 s behind" in str(unknown)
    assert UNEXPLAINED in str(unknown)


def test_without_now_the_clock_is_not_judged():
    for timestamp in (0, 1, NOW, NOW * 1000):
        assert Client(timestamp=timestamp).diagnosed(now=None) == Diagnosis(valid=True)
    assert names(Client(timestamp=1, signed_method="GET").diagnosed(now=None)) == [
        {"another-method"}
    ]
    assert Client(timestamp=10**20).diagnosed(now=None).notes[0].startswith("Timestamp required")


def test_milliseconds_that_were_sent_are_noted():
    diagnosis = Client(timestamp=NOW * 1000).diagnosed(now=NOW)
    assert diagnosis.findings == ()
    assert "milliseconds" in diagnosis.notes[0]


def test_an_unknown_key_is_noted():
    diagnosis = Client(key="somebody").diagnosed()
    assert diagnosis.findings == ()
    (note,) = diagnosis.notes
    assert note.startswith("Unknown auth_key")


def test_swapped_key_and_secret_are_noted():
    diagnosis = Client(key=SECRET, secret=KEY.encode()).diagnosed()
    assert diagnosis.notes[0] == "auth_key holds the secret. Key and secret are swapped."
    assert names(diagnosis) == [{"app-key-as-secret"}]
    assert SECRET not in str(diagnosis) + repr(diagnosis)


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("", "auth_signature holds nothing"),
        ("undefined", "auth_signature holds undefined"),
        ("32 bytes", "32 bytes is how a program prints an object"),
        ("[B@15db9742", "[B@15db9742 is how a program prints an object"),
        ("<Buffer da 45 48>", "write the bytes as hex"),
        ("abc", "auth_signature has 3 characters"),
        ("ab" * 20, "auth_signature has 40 characters"),
        ("ab" * 32 + "\n", "auth_signature has 65 characters"),
        ("G" * 64, "character 1 is 'G'"),
        ("é" * 64, "character 1 is 'é'"),
        ("ab" * 31 + "aB", "character 64 is 'B'"),
    ],
)
def test_a_malformed_signature_is_noted(signature, said):
    diagnosis = Client(written=lambda raw: signature).diagnosed()
    assert (diagnosis.findings, diagnosis.unexplained) == ((), "")
    (note,) = diagnosis.notes
    assert said in note
    assert "expected 64 lower-case hex digits" in note


@pytest.mark.parametrize("sent", [f'"{KEY}"', f" '{KEY}' ", f"{KEY}\n"])
def test_an_app_key_in_quotes_is_noted_in_place_of_an_unknown_one(sent):
    diagnosis = Client(key=sent).diagnosed()
    assert diagnosis.findings == ()
    (note,) = diagnosis.notes
    assert note.startswith("auth_key was sent with quotes or white space around the app key.")


OTHER_KEYS = {
    "3": "auth_key holds the app id, 3, where the app key belongs.",
    KEY.upper(): "auth_key was sent in other upper and lower case",
    f"Optional({KEY})": "auth_key was sent with something around the app key: Optional(…).",
    OTHER_APP.key: "auth_key is the key of another app, 4.",
    "YOUR_KEY": "auth_key holds a placeholder.",
}


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_what_was_sent_as_app_key_is_named_whichever_was_signed(key):
    """Some clients sign what they send; others sign the right app key, and send another."""
    signs_it = Client(key=key)
    for client in (signs_it, replace(Client(), query=lambda p: signed_with_key(p, KEY), key=key)):
        diagnosis = client.diagnosed()
        assert (diagnosis.findings, diagnosis.unexplained) == ((), "")
        (note,) = diagnosis.notes
        assert note.startswith(OTHER_KEYS[key])
        also = replace(client, signed_method="GET").diagnosed()
        assert names(also) == [{"another-method"}]
        assert also.notes == diagnosis.notes


def signed_with_key(pairs: list[Pair], key: str) -> str:
    return joined([(k, key if k == "auth_key" else v) for k, v in by_key(pairs)])


def test_a_third_app_key_that_was_signed_is_no_explanation():
    client = replace(Client(), query=lambda p: signed_with_key(p, "third"), key="somebody")
    assert client.diagnosed().unexplained == UNEXPLAINED


@pytest.mark.parametrize("uptime", [0, 42, 86_400, 42_123])  # seconds, or milliseconds
def test_a_time_since_a_start_is_no_unix_time(uptime):
    diagnosis = Client(timestamp=uptime).diagnosed(now=NOW)
    assert diagnosis.findings == ()
    (note,) = diagnosis.notes
    assert f"auth_timestamp is {uptime}. Unix time counts seconds since 1970" in note
    assert names(Client(timestamp=uptime, signed_method="GET").diagnosed(now=NOW)) == [
        {"another-method"}
    ]


def test_a_fraction_of_a_second_is_noted_if_it_was_signed_too():
    diagnosis = Client(timestamp=NOW + 0.5).diagnosed(now=NOW)
    assert (diagnosis.findings, diagnosis.unexplained) == ((), "")
    (note,) = diagnosis.notes
    assert "whole seconds" in note


def test_a_published_example_that_was_copied_is_recognised():
    owner = replace(OWNER, key="my-own-key", secret="my-own-secret")
    own = Client(owner=owner, key="my-own-key", secret=b"my-own-secret")
    signature = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    copied = replace(own, body=EXAMPLE.encode(), written=lambda raw: signature).diagnosed()
    assert not copied.valid
    (note,) = copied.notes
    assert note.startswith("auth_signature and body_md5 and auth_timestamp: copied from the pub")
    signed = replace(own, body=EXAMPLE.encode()).diagnosed()
    assert signed.valid
    (note,) = signed.notes
    assert note.startswith("body_md5 and auth_timestamp: copied from the published worked example")
    assert own.diagnosed() == Diagnosis(valid=True), "the second may be the same by chance"
    assert Client(body=EXAMPLE.encode()).diagnosed() == Diagnosis(valid=True), "it's that app"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/apps//events", "The path names no app"),
        ("/apps/undefined/events", "The path's app id is a placeholder, undefined."),
        ("/apps/${APP_ID}/events", "The path's app id is a placeholder, ${APP_ID}."),
        (f"/apps/{KEY}/events", "The path holds the app key where the app id belongs"),
    ],
)
def test_a_path_without_an_app_id_is_noted_although_it_is_signed_right(path, said):
    diagnosis = Client(path=path).diagnosed()
    assert diagnosis.valid
    assert diagnosis.notes[0].startswith(said)
    assert names(Client(path=path, signed_method="GET").diagnosed()) == [{"another-method"}]


def test_an_app_id_as_app_key_is_noted_also_where_the_right_one_is_not_known():
    owner = replace(OWNER, key="3")  # as it was sent
    client = Client(owner=owner, key="3", query=lambda p: signed_with_key(p, KEY))
    diagnosis = client.diagnosed()
    assert diagnosis.unexplained == UNEXPLAINED
    assert diagnosis.notes == (
        "auth_key holds the app id, as the path does. The app key belongs there.",
    )


# --- what the request alone does not hold -------------------------------------------------------


def test_a_path_that_a_refusal_quotes_is_tried():
    client = Client(signed_path=f"/grüße/welt{EVENTS}")
    request = Request("POST", EVENTS, client.sent(), BODY)
    verdict = judge(OWNER, request, now=NOW)
    assert explain(OWNER, request, verdict).unexplained == UNEXPLAINED
    quoted = [EVENTS, "", "/elsewhere", f"/grüße/welt{EVENTS}"]
    assert names(explain(OWNER, request, verdict, paths=quoted)) == [{"prefix-on-one-side"}]
    assert explain(OWNER, request, verdict, paths=["/elsewhere"]).findings == ()


def without_the_body(client: Client) -> Diagnosis:
    """The diagnosis where the text that holds the request cannot hold a body."""
    request = Request(client.method, client.path, client.sent())
    verdict = judge(client.owner, request, now=client.timestamp)
    checks = tuple(
        replace(check, passed=True, error="", fix="") if check.rule == "body_md5" else check
        for check in verdict.checks
    )
    return explain(client.owner, request, replace(verdict, checks=checks), others=[OTHER_APP])


@pytest.mark.parametrize("digest", [None, "0f" * 16, EMPTY_DIGEST])
def test_of_a_body_that_is_not_known_nothing_is_said(digest):
    client = Client(sent_digest=digest, signed_digest=digest)
    assert without_the_body(client) == Diagnosis(valid=True)
    assert without_the_body(replace(client, signed_method="PUT")).notes == ()
    unknown = without_the_body(replace(client, secret=b"0123456789abcdef0123"))
    assert unknown == Diagnosis(valid=False, unexplained=UNEXPLAINED)


@pytest.mark.parametrize("signed", [EMPTY_DIGEST, md5("{}")])
def test_a_hash_of_nothing_that_was_signed_is_no_claim_about_a_body_that_is_not_known(signed):
    diagnosis = without_the_body(Client(signed_digest=signed))
    assert diagnosis == Diagnosis(valid=False, unexplained=UNEXPLAINED)


@over(
    [w for w in {w.name: w for w in WAYS}.values() if w.axis != "digest" and "body" not in w.name]
)
def test_a_mistake_beside_a_body_that_is_not_known_is_named_and_no_other(way):
    assert set(names(without_the_body(replace(Client(), **way.steps)))) == told(way)


# --- an auth_signature among what is signed -----------------------------------------------------


def signed_along(older: str, **steps: Any) -> Client:
    query = lambda pairs: joined(by_key([*pairs, ("auth_signature", older)]))  # noqa: E731
    return Client(query=query, **steps)


def test_parameters_that_were_signed_twice_are_recognised():
    client = signed_along(str(Client().made()["encoding"]))
    diagnosis = client.diagnosed()
    assert names(diagnosis) == [{"old-signature-signed"}]
    assert diagnosis.findings[0].canonical_string == client.made()["newline"]


@pytest.mark.parametrize("place", [0, -1])
def test_an_older_signature_that_was_sent_along_proves_that_it_was_signed(place):
    older = "0f" * 32
    client = signed_along(older)
    sent = client.sent()
    sent.insert(place, ("auth_signature", older))
    diagnosis = diagnose(OWNER, "POST", EVENTS, sent, BODY, now=NOW)
    assert names(diagnosis) == [{"old-signature-signed"}]


def test_an_older_signature_that_is_not_at_hand_is_what_is_left():
    diagnosis = signed_along("0f" * 32).diagnosed()
    assert diagnosis == Diagnosis(valid=False, unexplained=UNEXPLAINED)
    assert "an older auth_signature that was signed along" in str(diagnosis)


# --- something around a signature ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrapping", "said"),
    [
        ("Some({})", "get() or unwrap()"),
        ('Optional("{}")', "get() or unwrap()"),
        ("Optional[{}]", "get() or unwrap()"),
        ("b'{}'", "decode()"),
        ("0x{}", "no 0x"),
        ("<{}>", "no angle brackets"),
        ('"{}"', "no quotes"),
        ("HMAC-SHA2-256(stdin)= {}", "awk '{print $NF}'"),
        ("{}  -", "awk '{print $1}'"),
        ("{}\n", "strip the white space"),
        ("sha-256:{}", "get, unwrap or decode"),
    ],
)
def test_what_is_around_a_signature_is_shown_with_how_to_take_it_off(wrapping, said):
    (finding,) = Client(written=lambda raw: wrapping.format(raw.hex())).diagnosed().findings
    (mistake,) = finding.mistakes
    assert wrapping.format("…").replace("\n", r"\n") in mistake.why
    assert said in mistake.fix
    assert finding.reproduced == wrapping.format(Client().made()["encoding"])


def test_a_signature_in_a_wrapper_may_be_in_upper_case_or_beside_another_mistake():
    client = Client(written=lambda raw: f"Some({raw.hex().upper()})")
    assert names(client.diagnosed()) == [{"signature-in-a-wrapper", "signature-in-upper-case"}]
    client = Client(written=lambda raw: f"Some({raw.hex()})", signed_timestamp=f"{NOW}481")
    assert names(client.diagnosed()) == [{"signature-in-a-wrapper", "timestamp-in-milliseconds"}]


@pytest.mark.parametrize("around", ["{}{}", "{}x" + "a" * 64, "a" * 201 + "x{}", "{}a"])
def test_two_signatures_or_a_long_text_or_more_digits_are_no_wrapper(around):
    client = Client(written=lambda raw: around.format(raw.hex(), raw.hex()))
    assert client.diagnosed().findings == ()


def test_a_secret_around_a_signature_is_not_told():
    for secret in (OWNER.secret, OTHER_APP.secret):
        diagnosis = Client(written=lambda raw, s=secret: f"{s}={raw.hex()}").diagnosed()
        assert names(diagnosis) == [{"signature-in-a-wrapper"}]
        assert secret not in str(diagnosis) + repr(diagnosis)


# --- cost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "most"),
    [("0" * 64, 12_000), ("0" * 62, 4_000), (f"Some({'0' * 64})", 8_000), ("0" * 40, 5_000)],
)
def test_a_search_makes_so_many_signatures_and_no_more(monkeypatch, signature, most):
    """Pairs are tried for what could be a signature; the forms of hex are singles, so few."""
    made, real = [0], hmac.digest

    def counted(*arguments: Any) -> bytes:
        made[0] += 1
        return real(*arguments)

    client = Client(written=lambda raw: signature, before=(), after=())
    sent = client.sent()
    monkeypatch.setattr(hmac, "digest", counted)
    assert not diagnose(OWNER, "POST", EVENTS, sent, BODY, now=NOW).findings
    assert most / 3 < made[0] < most


REQUIRED = ["auth_key", "auth_timestamp", "auth_version", "body_md5", "auth_signature"]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("now", [NOW, None])
def test_a_missing_parameter_is_noted(name, now):
    sent = [pair for pair in Client().sent() if pair[0] != name]
    diagnosis = diagnose(OWNER, "POST", EVENTS, sent, BODY, now=now)
    assert not diagnosis.valid
    assert any(name in note for note in diagnosis.notes)
    if name in ("auth_timestamp", "auth_signature"):  # nobody knows what it was
        assert diagnosis.findings == ()
        return
    (finding,) = diagnosis.findings
    (mistake,) = finding.mistakes
    assert (mistake.name, mistake.why) == (
        "parameter-signed-not-sent",
        f"{name} was signed, but not sent.",
    )
    assert finding.canonical_string == Client().made()["newline"]


def test_what_was_signed_and_not_sent_may_be_several_parameters_and_another_mistake():
    gone = ("auth_key", "body_md5")
    sent = [pair for pair in Client(signed_method="GET").sent() if pair[0] not in gone]
    diagnosis = diagnose(OWNER, "POST", EVENTS, sent, BODY, now=NOW)
    assert names(diagnosis) == [{"parameter-signed-not-sent", "another-method"}]
    assert "auth_key and body_md5 were signed, but not sent." in str(diagnosis)


@pytest.mark.parametrize("name", ["auth_key", "auth_version", "body_md5"])
def test_a_parameter_that_is_neither_signed_nor_sent_is_noted_and_nothing_else(name):
    client = Client(query=lambda pairs: joined([p for p in by_key(pairs) if p[0] != name]))
    sent = [pair for pair in client.sent() if pair[0] != name]
    diagnosis = diagnose(OWNER, "POST", EVENTS, sent, BODY, now=NOW)
    assert (diagnosis.findings, diagnosis.unexplained) == ((), "")
    (note,) = diagnosis.notes
    assert note.startswith(f"Missing parameter: {name}.")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_repeated_parameter_is_noted(name):
    sent = Client().sent()
    sent = [*sent, (name.upper(), dict(sent)[name])]
    diagnosis = diagnose(OWNER, "POST", EVENTS, sent, BODY, now=NOW)
    assert not diagnosis.valid
    assert any(name in note and "2 times" in note for note in diagnosis.notes)
    assert not any("digest" in {m.axis for m in f.mistakes} for f in diagnosis.findings)


# --- the secret ---------------------------------------------------------------------------------

MARKER = "MARKER-s3cr3t/ü-0123456789"
SHORT_MARKER = "s3cr3t!"  # too short to be looked for inside of other text


def odd_places(secret: str) -> dict[str, dict[str, Any]]:
    return {
        "auth_key": {"key": secret},
        "a value": {"before": (("info", secret),)},
        "a key": {"before": ((secret, "x"),)},
        "body_md5, sent": {"sent_digest": secret},
        "body_md5": {"sent_digest": secret, "signed_digest": secret},
        "auth_signature": {"written": lambda raw: secret},
        "signed timestamp": {"signed_timestamp": secret},
        "body": {"body": secret.encode()},
        "JSON body": {"body": json.dumps({"data": secret}, ensure_ascii=False).encode()},
        "path": {"path": f"/apps/3/{secret}"},
        "method": {"method": secret, "signed_method": secret.upper()},
    }


# As in judge(), a secret this short is hidden where it stands alone, not inside of other text.
PLACES = [
    *((MARKER, place) for place in odd_places(MARKER)),
    *((SHORT_MARKER, p) for p in odd_places(SHORT_MARKER) if p not in ("path", "JSON body")),
]
TELLING = [w for w in WAYS if w.axis in ("query", "newline") or w.name == "app-key-as-secret"]


@pytest.mark.slow
@pytest.mark.parametrize(("secret", "place"), PLACES)
def test_a_diagnosis_never_tells_the_secret(secret, place):
    owner = Credentials(app_id="3", key=KEY, secret=secret)
    changes = odd_places(secret)[place]
    wires = set()
    for way in TELLING:
        client = Client(secret=secret.encode(), after=(("Other", "x y"),))
        client = replace(client, **{**way.steps, **changes})
        wires.add((client.method, client.path, tuple(client.sent()), client.body))
    for wire in wires:
        diagnosis = diagnose(owner, *wire, now=NOW + 10_000)  # late, so a note tells of that
        # Neither as it is, nor as a key or method becomes of it, nor as a URL writes it.
        shown = str(diagnosis) + repr(diagnosis)
        shown += "".join(finding.canonical_string for finding in diagnosis.findings)
        assert ("auth_key holds the secret" in shown) == (place == "auth_key")
        for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
            assert form.casefold() not in shown.casefold()


def test_a_secret_of_five_characters_hides_nothing_where_it_stands_by_chance():
    for secret, shown in (("event", True), ("events", False)):
        client = Client(owner=replace(OWNER, secret=secret), secret=secret.encode())
        client = replace(client, signed_method="GET")
        (finding,) = client.diagnosed().findings
        assert (finding.canonical_string == client.made()["newline"]) == shown
        assert ("not shown" in finding.canonical_string) != shown


@pytest.mark.parametrize("place", ["auth_key", "a value", "body_md5"])
def test_a_diagnosis_never_tells_another_apps_secret(place):
    changes = odd_places(OTHER_APP.secret)[place]
    client = Client(**{**changes, "signed_method": "GET"})
    for others in ([OTHER_APP], iter([OTHER_APP])):
        diagnosis = client.diagnosed(others=others)
        assert OTHER_APP.secret not in str(diagnosis) + repr(diagnosis)


# --- garbage ------------------------------------------------------------------------------------

GARBAGE_BODIES = {
    "nothing": b"",
    "no UTF-8": b"\xff\xfe\x00",
    "random": random.Random(1).randbytes(500),
    "a NUL": b"\0",
    "broken JSON": b'{"a":',
    "a number of 5000 digits": b"[" + b"9" * 5000 + b"]",
    "no number": b"[NaN, -Infinity, 1e999]",
    "half a character": rb'"\ud83c"',
    "lists in lists": b"[" * 900 + b"]" * 900,
    "too many lists in lists": b"[" * 100_000 + b"]" * 100_000,
    "objects in objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "1 MB": b'{"data":"' + b"x" * 1_000_000 + b'"}',
    "1 MB beyond ASCII": ('{"data":"' + "☕" * 330_000 + '"}').encode(),
}
GARBAGE_PARAMS = {
    "none": [],
    "empty names": [("", ""), ("", "")],
    "huge timestamp": [("auth_timestamp", "9" * 5000)],
    "timestamp just too long": [("auth_timestamp", "9" * 16)],
    "other digits": [("auth_timestamp", "١٣٥٣")],
    "negative": [("auth_timestamp", "-1")],
    "no number": [("auth_timestamp", "nan")],
    "exponent": [("auth_timestamp", "1e400")],
    "empty values": [(name, "") for name in REQUIRED],
    "everything twice": [(name, "x") for name in REQUIRED * 2],
    "beyond ASCII": [(name, "☕\0\n") for name in REQUIRED],
    "half a character": [("info", "\ud83c"), ("auth_signature", "ab" * 32)],
    "half a character in the signature": [("auth_signature", "\udcff")],
}


def survives(method: str, path: str, params: list[tuple[str, str]], body: bytes) -> None:
    for now in (NOW, None):
        diagnosis = diagnose(OWNER, method, path, params, body, now=now, others=[OTHER_APP])
        assert not diagnosis.valid
        assert diagnosis.findings == ()
        assert str(diagnosis)


@pytest.mark.slow
@over(GARBAGE_BODIES.values())
def test_garbage_as_a_body_raises_nothing(body):
    right = [pair for pair in Client().sent() if pair[0] not in ("body_md5", "auth_signature")]
    survives("POST", EVENTS, [*right, ("auth_signature", "ab" * 32)], body)
    survives("POST", EVENTS, [*right, ("body_md5", md5(body)), ("auth_signature", "x")], body)


@over(GARBAGE_PARAMS.values())
def test_garbage_as_parameters_raises_nothing(params):
    for body in (b"", BODY):
        survives("POST", EVENTS, params, body)


@pytest.mark.slow
@over(["", "/", "?", "//", "/\0", "/☕", "a" * 20_000, "/%zz", "\udcff"])
def test_garbage_as_path_or_method_raises_nothing(path):
    for method in ("", "get", "ß", "\n", "POST"):
        survives(method, path, [*Client().sent()[:-1], ("auth_signature", "ab" * 32)], BODY)


@over(range(15))
def test_random_garbage_raises_nothing(seed):
    rng = random.Random(seed)

    def text() -> str:
        return "".join(chr(rng.randrange(0xD800)) for _ in range(rng.randrange(40)))

    params = [(rng.choice([*REQUIRED, text()]), text()) for _ in range(rng.randrange(9))]
    survives(text(), text(), params, rng.randbytes(rng.randrange(200)))


# --- growth -------------------------------------------------------------------------------------

GROWING_BODIES: dict[str, Callable[[int], bytes]] = {
    "a string": lambda n: b'{"data":"' + b"x" * n + b'"}',
    "beyond ASCII": lambda n: ('{"data":"' + "☕" * (n // 3) + '"}').encode(),
    "numbers": lambda n: b"[" + b"1," * (n // 2) + b"1]",
    "objects": lambda n: b"[" + b'{"b":1,"a":2},' * (n // 14) + b"{}]",
    "opened and not closed": lambda n: b"[" * n,
    "spaces": lambda n: b"[" + b" " * n + b"]",
    "backslashes": lambda n: b'"' + b"\\\\" * (n // 2) + b'"',
    "newlines": lambda n: b"{}" + b"\n" * n,
    "no UTF-8": lambda n: b"\xff" * n,
    "no JSON": lambda n: b"x" * n,
}


@pytest.mark.parametrize("family", GROWING_BODIES)
def test_a_search_grows_with_the_body_and_no_faster(family, growth):
    def search(body: bytes) -> None:
        client = Client(body=body, secret=b"0123456789abcdef0123")
        assert not client.diagnosed(others=[]).valid

    growth(search, GROWING_BODIES[family], largest=1_000_000, least=100_000)


def test_each_form_of_a_body_is_made_once(monkeypatch):
    """Parsing and serialising take the time, where a body has millions of values."""
    made: list[str] = []
    for name in ("loads", "dumps"):
        real = getattr(json, name)
        monkeypatch.setattr(
            json, name, lambda *a, real=real, name=name, **k: made.append(name) or real(*a, **k)
        )
    client = Client(body=b'{"a":[1,2,3]}', secret=b"0123456789abcdef0123")
    assert client.diagnosed().unexplained == UNEXPLAINED
    assert sorted(made) == ["dumps"] * 5 + ["loads"]  # compact, spaced, each sorted too; indented
    made.clear()
    assert diagnose(OWNER, "POST", EVENTS, [("auth_key", KEY)], client.body).notes
    assert made == [], "nothing was hashed, so nothing can be found"


# --- the table ----------------------------------------------------------------------------------


AXES = {"digest", "query", "path", "method", "newline", "timestamp", "secret", "mac", "encoding"}


@over({way.name: way for way in WAYS})
def test_a_mistake_says_what_why_and_what_to_do(name):
    mistakes = {mistake.name: mistake for mistake in every_mistake()}
    if name in NOT_IN_THE_TABLE:
        way = next(way for way in WAYS if way.name == name)
        (finding,) = replace(Client(), **way.steps).diagnosed().findings
        mistakes[name] = finding.mistakes[0]
    mistake = mistakes[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", mistake.name)
    assert mistake.axis in AXES
    assert re.fullmatch(r"\S.*[^.]\.", mistake.why)
    assert not re.search(r"\. [A-Z]", mistake.why)  # one sentence
    assert re.fullmatch(r"\S.*[^.]\.", mistake.fix)
    assert not re.search(r"\. [A-Z]", mistake.fix)
    assert re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", mistake.lesson)
