"""Break things on purpose: what a client sends when it makes the doctor's mistakes. Pure.

The doctor's tables say what a mistake does to one step of signing. The doctor runs through them to
explain what it was given; here they run the other way, and what comes out is a request, a
subscription or a webhook that is wrong in exactly one known way, or in two.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from pusherkit.credentials import Credentials
from pusherkit.doctor import webhooks
from pusherkit.doctor.mistakes import (
    ALONE,
    IN_REQUESTS,
    TABLE,
    Body,
    Pair,
    Row,
    Table,
    in_order,
    values_of,
)
from pusherkit.doctor.signed_texts import made_wrong
from pusherkit.doctor.subscription_mistakes import SIGNED, WRAPPING, Data, Parts
from pusherkit.signing import AUTH_VERSION, Request, body_digest

HALF_AN_HOUR = 1800  # seconds
PLACEHOLDER = "placeholder-as-secret"
# The doctor knows more; to be found by trying, there must be few, and the choice says which.
PLACEHOLDERS = ("undefined", "null", "your-secret", "YOUR_APP_SECRET")

# --- requests ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it went out, and what its sender signed and hashed on the way."""

    request: Request
    signed: str


def rows_of_requests(tables: tuple[Table, ...] = (TABLE, IN_REQUESTS, ALONE)) -> list[Row]:
    """Every mistake that is looked for in a request, each with the commonest ways to make it."""
    first: dict[str, Row] = {}
    for axis in TABLE:
        for mistake, make in (row for table in tables for row in table[axis]):
            first.setdefault(mistake.name, (mistake, make))
    if row := first.get(PLACEHOLDER):
        named = f"{', '.join(PLACEHOLDERS[:-1])} or {PLACEHOLDERS[-1]}"
        told = replace(row[0], why=f"{row[0].why.removesuffix('.')}: {named}.")
        first[PLACEHOLDER] = (told, _placeholders)
    return list(first.values())


def _placeholders(credentials: Credentials) -> Iterator[bytes]:
    yield from (text.encode() for text in PLACEHOLDERS)


def sent_with(
    app: Credentials, request: Request, rows: Mapping[str, Row], *, timestamp: int
) -> list[Sent]:
    """Every request that comes out if these mistakes are made together, by their axes.

    `request` isn't signed yet: its params are the call's own. Without rows there's one, and it's
    right. With rows where a mistake can't be made, or changes nothing, there's none.
    """

    def values(axis: str, right: Any, *given: Any) -> list[Any]:
        if axis not in rows:
            return [right]
        mistake, function = rows[axis]
        made = [each for each in dict.fromkeys(values_of(function, *given)) if each != right]
        if mistake.name == "timestamp-in-local-time":  # zones that anybody could think of
            made = [each for each in made if (int(each) - timestamp) % HALF_AN_HOUR == 0]
        return made

    body, method, path = request.body, request.method, request.path
    key, time = app.secret.encode(), str(timestamp)
    made = []
    for digest in values("digest", body_digest(body) if body else "", Body(body)):
        if "digest" in rows and digest == body_digest(body):
            continue  # the hash of nothing, beside no body: nobody refuses that
        pairs = _in_the_url(app, request.params, time, digest)
        for text in _texts(values, app, (method, path), pairs, time, Body(body)):
            message = text.encode(errors="surrogatepass")
            for secret in values("secret", key, app):
                right = hmac.digest(secret, message, "sha256")
                for raw in values("mac", right, secret, message):
                    for written in values("encoding", raw.hex(), raw):
                        params = (*pairs, ("auth_signature", written))
                        made.append(Sent(Request(method, path, params, body), text))
    return made


def _in_the_url(app: Credentials, own: tuple[Pair, ...], time: str, digest: str) -> list[Pair]:
    """The parameters as the URL has them: the call's own, then those of the signature."""
    auth = [("auth_key", app.key), ("auth_timestamp", time), ("auth_version", AUTH_VERSION)]
    return [*own, *auth, *([("body_md5", digest)] if digest else [])]


def _texts(
    values: Callable[..., list[Any]],
    app: Credentials,
    line: tuple[str, str],
    pairs: list[Pair],
    time: str,
    body: Body,
) -> Iterator[str]:
    """What is signed."""
    method, path = line
    for signed_time in values("timestamp", time, time):
        signed = [
            (name, signed_time if name == "auth_timestamp" else value) for name, value in pairs
        ]
        right = "&".join(map("=".join, in_order(signed)))
        for query in values("query", right, signed):
            for signed_method in values("method", method, method):
                for signed_path in values("path", path, path, app):
                    lines = (signed_method, signed_path, query)
                    yield from values("newline", "\n".join(lines), lines, body)


# --- subscriptions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A client's wish to be let into a channel, with the auth that its server gave it."""

    socket_id: str
    channel: str
    channel_data: str | None = None
    auth: str = ""
    signed: str = ""
    """The text that the auth is of."""

    @property
    def frame(self) -> str:
        """What the client sends: pusher:subscribe, as JSON."""
        data = {"channel": self.channel, "auth": self.auth}
        if self.channel_data is not None:
            data["channel_data"] = self.channel_data
        return json.dumps({"event": "pusher:subscribe", "data": data}, ensure_ascii=False)


def rows_of_subscriptions() -> list[Row]:
    """Every mistake that can be made with the auth of a subscription, and no other."""
    return [
        (replace(mistake, why=_told(mistake.why), fix=_told(mistake.fix)), make)
        for table in (SIGNED, WRAPPING)
        for rows in table.values()
        for mistake, make in rows
    ]


def _told(sentence: str) -> str:
    return sentence.replace("DATA", "channel_data")  # the table is for sign-ins, too


def subscribed_with(app: Credentials, wanted: Subscription, row: Row | None) -> list[Subscription]:
    """Every subscription that comes out if this mistake is made; with None, the right one."""
    right = _authorized(app, wanted, _text_of(wanted))
    if row is None:
        return [right]
    mistake, _ = row
    if (wrap := _WRAPPED.get(mistake.name)) is not None:
        return [replace(right, auth=auth) for auth in wrap(right.auth, app)]
    given, parts = _GIVEN[mistake.axis](wanted), _parts(wanted)
    part = {"socket_id": parts.socket_id, "channel": parts.channel, "data": parts.data}
    made = []
    for _, value in made_wrong([row], part.get(mistake.axis, parts.joined()), given):
        if mistake.axis == "joining":
            text = value
        else:
            text = parts._replace(**{mistake.axis: value}).joined()
        made.append(_authorized(app, wanted, text))
    return made


_GIVEN: dict[str, Callable[[Subscription], Any]] = {
    "socket_id": lambda wanted: wanted.socket_id,
    "channel": lambda wanted: wanted.channel,
    "data": lambda wanted: Data(wanted.channel_data),
    "joining": lambda wanted: _parts(wanted),
}


def _parts(wanted: Subscription) -> Parts:
    return Parts(wanted.socket_id, wanted.channel, wanted.channel_data, sign_in=False)


def _text_of(wanted: Subscription) -> str:
    return _parts(wanted).joined()


def _authorized(app: Credentials, wanted: Subscription, text: str) -> Subscription:
    signature = hmac.digest(app.secret.encode(), text.encode(errors="surrogatepass"), "sha256")
    return replace(wanted, auth=f"{app.key}:{signature.hex()}", signed=text)


# What the doctor finds around an auth, it takes off; here it's put on.
_WRAPPED: dict[str, Callable[[str, Credentials], list[str]]] = {
    "json-encoded-twice": lambda auth, app: [json.dumps({"auth": auth})],
    "dictionary-printed": lambda auth, app: [str({"auth": auth})],
    "auth-in-base64": lambda auth, app: [base64.b64encode(auth.encode()).decode()],
    "auth-in-quotes": lambda auth, app: [f'"{auth}"', f"'{auth}'", f"{auth}\n"],
    "auth-url-encoded": lambda auth, app: [quote(auth, safe="")],
    "optional-printed": lambda auth, app: [f"Optional({auth})", f'Some("{auth}")'],
    "key-missing": lambda auth, app: [_signature(auth), f":{_signature(auth)}"],
    "secret-for-key": lambda auth, app: [f"{app.secret}:{_signature(auth)}"],
    "app-id-for-key": lambda auth, app: [f"{app.app_id}:{_signature(auth)}"],
    "key-in-quotes": lambda auth, app: [f'"{app.key}":{_signature(auth)}'],
    "key-and-signature-swapped": lambda auth, app: [f"{_signature(auth)}:{app.key}"],
    "another-key": lambda auth, app: [f"old-{app.key}:{_signature(auth)}"],
}


def _signature(auth: str) -> str:
    return auth.rpartition(":")[2]


# --- webhooks ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as a receiver has it when it verifies."""

    body: bytes
    key: str = ""
    signature: str = ""


def rows_of_webhooks() -> list[Row]:
    """Every mistake by which a webhook's signature doesn't fit."""
    return [row for rows in webhooks.TABLE.values() for row in rows]


def delivered_with(app: Credentials, wanted: Webhook, row: Row | None) -> list[Webhook]:
    """Every webhook that comes out if this mistake is made; with None, the right one."""
    right = _posted(app, wanted, wanted.body)
    if row is None:
        return [right]
    mistake, _ = row
    if (wrap := _IN_HEADER.get(mistake.name)) is not None:
        return [replace(right, signature=each) for each in wrap(right.signature, app)]
    wrong = made_wrong([row], wanted.body, Body(wanted.body))
    return [_posted(app, wanted, body) for _, body in wrong]


def _posted(app: Credentials, wanted: Webhook, signed: bytes) -> Webhook:
    signature = hmac.digest(app.secret.encode(), signed, "sha256").hex()
    return replace(wanted, key=app.key, signature=signature)


_IN_HEADER: dict[str, Callable[[str, Credentials], list[str]]] = {
    "prefix-before-signature": lambda signature, app: [f"sha256={signature}"],
    "key-before-signature": lambda signature, app: [f"{app.key}:{signature}"],
    "signature-in-quotes": lambda signature, app: [f'"{signature}"'],
}
