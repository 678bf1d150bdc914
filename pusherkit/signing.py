"""Sign a request, and verify one. Pure: no clock, no network; time is an argument.

The rules, from the HTTP API reference (docs/api-reference.md):

1. `body_md5` is the hex MD5 of the exact bytes of the body; only a request with a body has it.
2. The parameters are every query parameter but `auth_signature`: names lower-cased, sorted by
   name, joined as `key=value` with `&`, values not URL-encoded.
3. The canonical string is the method, the path and those parameters, joined by real newlines.
4. `auth_signature` is the hex HMAC-SHA256 of the canonical string, keyed by the secret.

This file knows nothing about events, HTTP or JSON: it signs bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from pusherkit.credentials import Credentials
from pusherkit.errors import AuthenticationError

AUTH_VERSION = "1.0"  # the only version there is (reference, "Authentication")
TOLERANCE_SECONDS = 600  # auth_timestamp must be within this of the server's clock (reference)

# What signing itself adds. A caller's value under one of these names is replaced.
SIGNING_PARAMS = frozenset(
    {"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"}
)

Params = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: the four things that a signature covers.

    `path` is as in the request line, without host or query. `params` are decoded and keep their
    order, repeated names included; a mapping becomes pairs. `body` is the exact bytes.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __init__(self, method: str, path: str, params: Params = (), body: bytes = b"") -> None:
        put = object.__setattr__  # frozen, so this is the one way in
        put(self, "method", method)
        put(self, "path", path)
        put(self, "params", tuple(params.items() if isinstance(params, Mapping) else params))
        put(self, "body", body)

    def values(self, name: str) -> list[str]:
        """Every value of one parameter, in any case of its name; [] if it is missing."""
        return [value for key, value in self.params if key.lower() == name]


# --- signing --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature with its working. Print or display it to see the steps."""

    body_md5: str | None
    """32 hex digits, or None if the body is empty."""
    params: tuple[tuple[str, str], ...]
    """What was signed: names lower-cased, sorted by name, values not encoded."""
    canonical_string: str
    """METHOD, path and parameters, joined by two newlines."""
    hexdigest: str
    """64 hex digits: the value of auth_signature."""

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The parameters to send: what was signed, then auth_signature."""
        return (*self.params, ("auth_signature", self.hexdigest))

    def _steps(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Digest", f"body_md5 = {self.body_md5 or '(no body, so none)'}"),
            ("Parameters", "\n".join(f"{key}={value}" for key, value in self.params)),
            ("Canonical string", self.canonical_string),
            ("Sign", f"auth_signature = {self.hexdigest}"),
        )

    def __str__(self) -> str:
        lines = []
        for stage, shown in self._steps():
            first, *rest = shown.split("\n")
            lines += [f"{stage:<18}{first}", *(" " * 18 + line for line in rest)]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython's terminal, and the text/plain of a notebook

    def _repr_html_(self) -> str:
        from html import escape  # here: its table of entities is a tenth of the kit's import

        rows = "".join(
            '<tr style="background:none">'  # JupyterLab stripes tables, and code has its own ground
            f'<th scope="row" style="text-align:left;vertical-align:top">{stage}</th>'
            '<td style="text-align:left"><pre style="margin:0;white-space:pre-wrap;'
            f'overflow-wrap:anywhere">{escape(shown)}</pre></td></tr>'
            for stage, shown in self._steps()
        )
        return f"<table>{rows}</table>"


def body_digest(body: bytes) -> str:
    """The hex MD5 of the body's exact bytes. It detects change; it doesn't keep a secret."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def canonical_string(method: str, path: str, params: Params) -> str:
    """The text to sign: METHOD, path and sorted parameters, joined by newlines.

    `path` is as in the request line, without host or query. `auth_signature` is left out if it
    is there. Repeated parameters stay, in the order in which they came.
    """
    return _joined(method, path, _ordered(params, without={"auth_signature"}))


def _ordered(params: Params, *, without: Collection[str]) -> list[tuple[str, str]]:
    """Names lower-cased, then sorted. By name alone, so repeated ones stay in their order."""
    pairs = params.items() if isinstance(params, Mapping) else params
    lowered = [(key.lower(), value) for key, value in pairs]
    return sorted([pair for pair in lowered if pair[0] not in without], key=itemgetter(0))


def _joined(method: str, path: str, ordered: list[tuple[str, str]]) -> str:
    query = "&".join([f"{key}={value}" for key, value in ordered])
    return f"{method.upper()}\n{path}\n{query}"


def hmac_sha256(secret: str, text: str) -> str:
    """The hex HMAC-SHA256 of `text`, keyed by `secret`; both as UTF-8."""
    # Half of a surrogate pair has no UTF-8. Let through, it makes a signature that fits nothing.
    return hmac.digest(secret.encode(), text.encode(errors="surrogatepass"), "sha256").hex()


def sign(
    credentials: Credentials,
    method: str,
    path: str,
    params: Params = (),
    body: bytes = b"",
    *,
    timestamp: int,
) -> Signature:
    """Sign one request and return every step of the working.

    `params` are the request's own parameters, not URL-encoded; the auth parameters and
    `body_md5` are added here, in place of any that `params` already holds. `body` is the exact
    bytes to send. `timestamp` is Unix time in whole seconds.
    """
    if not isinstance(timestamp, int):
        raise TypeError(
            f"timestamp: expected whole Unix seconds (int), got {timestamp!r}. "
            "Use int(time.time())."
        )
    body_md5 = body_digest(body) if body else None
    signed = [
        ("auth_key", credentials.key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", AUTH_VERSION),
    ]
    if body_md5:
        signed.append(("body_md5", body_md5))
    if params:
        signed += _ordered(params, without=SIGNING_PARAMS)
        signed.sort(key=itemgetter(0))
    text = _joined(method, path, signed)
    return Signature(
        body_md5=body_md5,
        params=tuple(signed),
        canonical_string=text,
        hexdigest=hmac_sha256(credentials.secret, text),
    )


# --- verifying ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule, judged. `error` and `fix` are sentences; both are "" if the rule passed."""

    rule: str
    passed: bool
    expected: str
    received: str
    error: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every rule, judged in the order in which a server checks them. Safe to show."""

    checks: tuple[Check, ...]
    canonical_string: str
    """What the verifier signed."""

    @property
    def failed(self) -> Check | None:
        """The first rule that failed; None if all passed."""
        return next((check for check in self.checks if not check.passed), None)


def verify(
    credentials: Credentials,
    method: str,
    path: str,
    params: Params,
    body: bytes = b"",
    *,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> None:
    """Return if the request is signed as it should be; raise AuthenticationError if not.

    `params` are the decoded query parameters, `auth_signature` among them; `body` the bytes that
    arrived; `now` the verifier's clock in Unix seconds; `tolerance` how many seconds the sender's
    clock may be ahead or behind. Whatever arrived, nothing but AuthenticationError is raised.
    """
    request = _request(credentials, method, path, params, body)
    verdict = judge(credentials, request, now=now, tolerance=tolerance)
    if failed := verdict.failed:
        raise AuthenticationError(
            failed.error, reason=failed.rule, canonical_string=verdict.canonical_string
        )


def _request(credentials: Credentials, method: Any, path: Any, params: Any, body: Any) -> Request:
    """What verify() was given, as a Request; AuthenticationError if it can't be one."""
    for what, value in (("method", method), ("path", path)):
        if not isinstance(value, str):
            raise _unreadable(what, f"{what}: expected text (str), got {type(value).__name__}.")
    if not isinstance(body, bytes | bytearray):
        raise _unreadable(
            "body",
            f"body: expected the raw bytes that arrived, got {type(body).__name__}. "
            "Take the body before it is decoded or parsed.",
        )
    pairs = []
    for name, value in _pairs(params):
        if not isinstance(value, str):
            raise _unreadable_value(credentials.hide(name), value)
        pairs.append((name, value))
    return Request(method, path, pairs, bytes(body))


def _pairs(params: Any) -> Iterator[tuple[str, object]]:
    if isinstance(params, Mapping):
        params = params.items()
    several = isinstance(params, Iterable) and not isinstance(params, str | bytes)
    for pair in params if several else [params]:
        match pair:
            case (str(name), value):
                yield name, value
            case _:
                came = type(pair).__name__
                raise _unreadable(
                    "params",
                    f"params: expected pairs of name and value, both text, got {came}. "
                    "Pass urllib.parse.parse_qsl(query, keep_blank_values=True).",
                )


def _unreadable_value(name: str, value: object) -> AuthenticationError:
    if value is None:
        return _unreadable(name, f"Missing parameter: {name}. Its value is None.")
    if isinstance(value, list | tuple):
        return _unreadable(
            name,
            f"{name}: expected text (str), got {type(value).__name__}. urllib.parse.parse_qs "
            "gives a list for each name; pass the pairs that parse_qsl gives.",
        )
    return _unreadable(name, f"{name}: expected text (str), got {type(value).__name__}.")


def _unreadable(reason: str, problem: str) -> AuthenticationError:
    return AuthenticationError(problem, reason=reason, canonical_string="")


def judge(
    credentials: Credentials,
    request: Request,
    *,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> Verdict:
    """Judge every rule of a signed request, auth_signature among its parameters.

    `now` and `tolerance` as for verify(). The verdict contains neither the secret nor the right
    signature, whatever the request contains.
    """
    hide = credentials.hide
    shown = [(hide(name), hide(value)) for name, value in request.params]
    shown_string = canonical_string(hide(request.method), hide(request.path), shown)
    sent = {name: _Sent([], []) for name in SIGNING_PARAMS}
    for (name, value), (_, shown_value) in zip(request.params, shown, strict=True):
        if parameter := sent.get(name.lower()):
            parameter.values.append(value)
            parameter.shown.append(shown_value)
    right = hmac_sha256(
        credentials.secret, canonical_string(request.method, request.path, request.params)
    )
    return Verdict(
        checks=(
            _check_key(credentials, sent["auth_key"]),
            _check_version(sent["auth_version"]),
            _check_timestamp(sent["auth_timestamp"], now, tolerance),
            _check_body(sent["body_md5"], request.body),
            _check_signature(right, sent["auth_signature"], shown_string),
        ),
        canonical_string=shown_string,
    )


class _Sent(NamedTuple):
    """Every value of one parameter, usually a single one."""

    values: list[str]
    """As they came: what a rule judges."""
    shown: list[str]
    """The same without a secret sent by mistake: what a sentence quotes."""


def _judged(
    rule: str, passed: bool, *, expected: str, received: str, error: str, fix: str
) -> Check:
    """A check that keeps its sentences only if it failed."""
    return Check(
        rule=rule,
        passed=passed,
        expected=expected,
        received=received,
        error="" if passed else error,
        fix="" if passed else fix,
    )


def _not_sent_once(rule: str, expected: str, sent: _Sent) -> Check | None:
    """The failed check for a parameter that is missing or repeated; None if it came once."""
    shown = sent.shown
    if len(shown) == 1:
        return None
    return _judged(
        rule,
        False,
        expected=expected,
        received=", ".join(shown) or "(missing)",
        error=f"Repeated parameter: {rule} was sent {len(shown)} times"
        if shown
        else f"Missing parameter: {rule}",
        fix=f"Send {rule} once."
        if shown
        else f"Add {rule} to the parameters that you sign, and send it.",
    )


def _check_key(credentials: Credentials, sent: _Sent) -> Check:
    rule = "auth_key"
    expected = f"{credentials.key} (the key of app {credentials.app_id})"
    return _not_sent_once(rule, expected, sent) or _judged(
        rule,
        sent.values[0] == credentials.key,
        expected=expected,
        received=sent.shown[0],
        error="Unknown auth_key",
        fix="Send the key of this app. Check that key and secret are not swapped, and that the "
        "request goes to the host that knows the app.",
    )


def _check_version(sent: _Sent) -> Check:
    rule = "auth_version"
    return _not_sent_once(rule, AUTH_VERSION, sent) or _judged(
        rule,
        sent.values[0] == AUTH_VERSION,
        expected=AUTH_VERSION,
        received=sent.shown[0],
        error="Version not supported",
        fix=f"Send {rule}={AUTH_VERSION}.",
    )


_WHOLE_SECONDS = re.compile(r"[0-9]{1,15}")


def _check_timestamp(sent: _Sent, now: float, tolerance: float) -> Check:
    rule = "auth_timestamp"
    expected = f"within {tolerance:g} s of the server's clock, {int(now)} ({_utc(now)})"
    if failed := _not_sent_once(rule, expected, sent):
        return failed
    if not _WHOLE_SECONDS.fullmatch(sent.values[0]):
        return _judged(
            rule,
            False,
            expected=expected,
            received=sent.shown[0],
            error=f"Timestamp required: {rule} must be Unix time in whole seconds",
            fix="Send digits only: no fraction, no minus, no date.",
        )
    seconds = int(sent.values[0])
    if abs(seconds / 1000 - now) <= tolerance:
        fix = "These are milliseconds. Divide by 1000 and drop the fraction."
    else:
        where = "ahead of" if seconds > now else "behind"
        fix = (
            f"The timestamp is {abs(seconds - now):.0f} s {where} the server's clock. "
            "Set the clock, and sign each request just before you send it."
        )
    return _judged(
        rule,
        abs(seconds - now) <= tolerance,
        expected=expected,
        received=f"{sent.shown[0]} ({_utc(seconds)})",
        error=f"Timestamp expired: Given timestamp ({_utc(seconds)}) not within {tolerance:g}s "
        f"of server time ({_utc(now)})",
        fix=fix,
    )


def _utc(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "not a date"


def _check_body(sent: _Sent, body: bytes) -> Check:
    rule = "body_md5"
    digest = body_digest(body)
    if not body and not sent.values:
        return Check(rule=rule, passed=True, expected="(no body)", received="(none)")
    # An empty body needs no body_md5. The official Python client sends one with every GET.
    expected = f"{digest} (the MD5 of the {len(body)} bytes that arrived)"
    return _not_sent_once(rule, expected, sent) or _judged(
        rule,
        sent.values[0] == digest,
        expected=expected,
        received=sent.shown[0],
        error=f"Invalid body_md5: the body that arrived has the MD5 {digest}, "
        f'but you sent "{sent.shown[0]}"',
        fix="Hash the exact bytes that you send, as the last thing before sending. After hashing, "
        "change nothing in the body: no space, no newline, no serialising again.",
    )


def _check_signature(right: str, sent: _Sent, shown_string: str) -> Check:
    rule = "auth_signature"
    # The wording of Pusher's own refusal: newlines appear as \n, the secret never does.
    quoted = shown_string.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    expected = f'HmacSHA256Hex("{quoted}", your_secret_key)'
    return _not_sent_once(rule, expected, sent) or _judged(
        rule,
        hmac.compare_digest(right.encode(), sent.values[0].encode(errors="surrogatepass")),
        expected=expected,
        received=sent.shown[0],
        error=f'Invalid signature: you should have sent {expected}, but you sent "{sent.shown[0]}"',
        fix="Compare your canonical string with this one, byte by byte. If both are equal, look "
        "at the secret, its encoding, and the HMAC call: the secret is the key.",
    )
