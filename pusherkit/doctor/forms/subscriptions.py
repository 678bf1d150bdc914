"""Subscriptions and webhooks: frames, an endpoint's answer, lines of `name: value`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from pusherkit.doctor.forms.parts import (
    MAX_PARAMS,
    Claim,
    PastedRequest,
    PastedSubscription,
    PastedWebhook,
    as_bytes,
    as_text,
)
from pusherkit.errors import UnreadableText

MAX_FIELD = 256 * 1024  # characters of one field

_NAMES = {
    "socketid": "socket_id",
    "channel": "channel",
    "channelname": "channel",
    "auth": "auth",
    "channeldata": "channel_data",
    "userdata": "user_data",
}
_ANSWERED = {"auth", "channel_data", "shared_secret"}  # what an endpoint's answer may hold
_NOTHING = ("null", "undefined", "None", "nil")  # as four languages print it
FIELD_HINT = re.compile(
    r"^[ \t>*|-]*['\"`]?"
    r"(?P<name>socket[_ -]?id|channel(?:[_ -]?name|[_ -]?data)?|auth|user[_ -]?data)"
    r"['\"`]?[ \t]*(?::|=>?)[ \t]*(?P<value>\S[^\n]*)",
    flags=re.MULTILINE | re.IGNORECASE,
)
SOCKET_HINT = re.compile(
    r"(?:new socket ID|socket_?id\W{1,6})\s*(\d{1,20}\.\d{1,20})", re.IGNORECASE
)
_SOCKET = re.compile(r"\d{1,20}\.\d{1,20}")


@dataclass(frozen=True, slots=True)
class Fields:
    """Some fields of a subscription, in the order in which they stand."""

    start: int
    values: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    """A frame: what comes after it belongs to another subscription."""


# --- out of JSON ----------------------------------------------------------------------------------


def fields_in(value: Any) -> tuple[dict[str, str], bool] | None:
    """What a JSON value says of a subscription, and whether it's a frame; None if nothing."""
    if isinstance(value, list):  # pusher-js logs ["Event sent", {…}]
        found = [fields_in(inner) for inner in value if isinstance(inner, dict)]
        return next((inner for inner in found if inner), None)
    if not isinstance(value, dict):
        return None
    event, data = value.get("event"), value.get("data")
    if isinstance(event, str) and event.startswith("pusher"):
        return _frame(event, _unpacked(data))
    if isinstance(value.get("auth"), str) or ("socket_id" in value and "channel_name" in value):
        return _named(value), False
    if "auth" in value and value["auth"] is None and value.keys() <= _ANSWERED:
        return _named(value), False  # an endpoint that looked nothing up, and answered all the same
    return None


def _frame(event: str, data: Any) -> tuple[dict[str, str], bool] | None:
    if not isinstance(data, dict):
        return None
    if event == "pusher:connection_established":
        return _named({"socket_id": data.get("socket_id")}), False
    if event == "pusher:signin":
        return _named(data), True
    if event == "pusher:subscribe":
        channel = data.get("channel")
        private = isinstance(channel, str) and channel.startswith(("private-", "presence-"))
        return ({"auth": ""} | _named(data), True) if "auth" in data or private else None
    return None


def _unpacked(data: Any) -> Any:
    """`data` of a frame, which may be JSON inside a string."""
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _named(value: dict[str, Any]) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, content in value.items():
        known = _NAMES.get(re.sub(r"[_ -]", "", str(name)).lower())
        if known and isinstance(content, str):
            named[known] = content[:MAX_FIELD]
        elif known == "auth" and content is None:
            named[known] = ""
        elif known and isinstance(content, dict | list):  # a server that doesn't encode it
            named[known] = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return named


def field_in(found: re.Match[str]) -> dict[str, str]:
    """One line of `name: value`, its quotes and comma gone."""
    value = found["value"].strip().rstrip(",;")
    if len(value) > 1 and value[0] in "'\"`" and value[-1] == value[0]:
        try:
            value = json.loads(value) if value[0] == '"' else value[1:-1]
        except ValueError:
            value = value[1:-1]
    return _named({found["name"]: None if value in _NOTHING else str(value)})


def asks_for_auth(request: PastedRequest) -> dict[str, str] | None:
    """The fields that a client sends to an endpoint for authorization; None if it's another."""
    if "/apps/" in request.request.path:
        return None
    values = dict(request.request.params)
    body = as_text(request.request.body[:MAX_FIELD])
    if body.lstrip().startswith("{"):
        sent = _unpacked(body)
        if isinstance(sent, dict):
            values |= {name: value for name, value in sent.items() if isinstance(value, str)}
    else:
        try:
            values |= dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_PARAMS))
        except ValueError:
            return None
    if "socket_id" not in values:
        return None
    named = _named({k: v for k, v in values.items() if k in ("socket_id", "channel_name")})
    if answer := re.search(r"\{[^\n]*\}", request.response):
        said = fields_in(_unpacked(answer[0]))
        named |= said[0] if said else {}
    return named


def subscriptions(parts: Iterable[Fields]) -> Iterator[PastedSubscription]:
    """Put fields together: a new one begins where a field comes again, or a frame ends it."""
    parts = sorted(parts, key=lambda part: part.start)
    named = {part.values.get("socket_id", "") for part in parts} - {""}
    # The only one may stand below: some logs have the newest line first.
    socket_id = named.pop() if len(named) == 1 else ""
    held: dict[str, str] = {}
    for part in parts:
        if part.whole:
            yield from _made(held, socket_id)
            held = {}
            yield from _made(part.values, socket_id)
            continue
        if any(held.get(name, value) != value for name, value in part.values.items()):
            yield from _made(held, socket_id)
            held = {}
        if _SOCKET.fullmatch(part.values.get("socket_id", "")):
            socket_id = part.values["socket_id"]
        held |= part.values
    yield from _made(held, socket_id)


def _made(values: dict[str, str], socket_id: str) -> Iterator[PastedSubscription]:
    values = {"socket_id": socket_id} | values
    if "auth" in values or ("channel" in values and values["socket_id"]):
        yield PastedSubscription(**values)


# --- webhooks -------------------------------------------------------------------------------------

WEBHOOK_HINT = re.compile(
    r"(?:^\W{0,20}|[,{;] ?['\"])(?:HTTP_)?X[-_]Pusher[-_](?P<name>Key|Signature)"
    r"\W{1,20}(?P<value>[\w-]{1,200})",
    flags=re.MULTILINE | re.IGNORECASE,
)


API_PATH = re.compile(r"/apps/[^/]{1,200}/(?:events|batch_events|channels|users)\b")


def webhook_in(request: PastedRequest) -> PastedWebhook | None:
    """A request as a webhook, by its headers; None if it's none.

    Raises UnreadableText where the text doesn't hold its body, which is what was signed.
    """
    signature = request.header("x-pusher-signature")
    if not signature or API_PATH.search(request.request.path):
        return None  # to the API, it's somebody's guess at where a signature belongs
    if not request.has_body:
        raise UnreadableText(
            "This is a webhook, and its signature is that of the raw body, which isn't in the "
            "text. Paste the body as it arrived, before anything parsed it."
        )
    return PastedWebhook(
        key=request.header("x-pusher-key"), signature=signature, body=request.request.body
    )


def read_webhook_lines(text: str) -> Claim | None:
    """X-Pusher-Key, X-Pusher-Signature and a body, without a request line around them."""
    found = {match["name"].lower(): match for match in WEBHOOK_HINT.finditer(text)}
    if "signature" not in found:
        return None
    ends = max(match.end() for match in found.values())
    bodies = re.compile(r"\{[^\n]{0,10}\"(?:time_ms|events)\"").search
    body = bodies(text, ends) or bodies(text)
    if body is None:
        return None
    raw = text[body.start() :]
    try:
        _, length = json.JSONDecoder().raw_decode(raw)
    except (ValueError, RecursionError):
        length = len(raw.rstrip())
    hook = PastedWebhook(
        key=found["key"]["value"] if "key" in found else "",
        signature=found["signature"]["value"],
        body=as_bytes(raw[:length]),
    )
    return Claim(0, len(text), form="a webhook", webhooks=(hook,))
