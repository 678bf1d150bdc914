"""How other servers would judge and answer the same request. Pure.

The practice server checks every rule of the reference and explains itself. The servers in the field
check less, in another order, and say little. Here each of them is a table: one row for each thing
that it refuses, in the order in which it looks, with the answer, and where we know that from. A
request meets the rows one by one. The first that finds a fault answers; if none does, the request
is accepted.

What a row rests on is the first word of its source:

- measured: seen on a running server of that version
- read: in that version's source
- thread: quoted in a public issue; the service's own code isn't public
- documented: in the service's documentation
- ours: we don't know that server's words, and these are the practice server's

Limits are those of a fresh installation. What isn't here is as it is at the practice server: the
WebSocket side, how events are delivered, what an accepted GET answers, headers of CORS.
"""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import quote_plus, unquote

from pusherkit.credentials import Credentials
from pusherkit.errors import InvalidEvent, PusherError
from pusherkit.events import (
    CHANNEL_NAME,
    SERVER_TO_USER,
    SOCKET_ID,
    Event,
    read_batch_body,
    read_event_body,
    to_json,
)
from pusherkit.sandbox.cache import is_cache_channel
from pusherkit.sandbox.routes import Route, route
from pusherkit.signing import (
    AUTH_VERSION,
    TOLERANCE_SECONDS,
    Request,
    Verdict,
    body_digest,
    hmac_sha256,
    judge,
)

# Channels that one request reaches, each counted as often as it's named; ours, because Poxa sets no
# limit. It's as many as Sockudo takes: 100 events for 100 channels each.
MAX_PUBLISHED = 10_000
JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes out on the wire."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request at a server, with what several rows ask of it."""

    credentials: Credentials
    request: Request
    now: float
    """The server's clock, Unix seconds."""
    route: Route
    verdict: Verdict
    """The practice server's, on every rule of signing."""
    content: Any
    """The body's JSON; NOT_JSON where it is none."""
    wait: Callable[[int], float]
    """Takes so many from what may still come this second; the seconds to wait, 0 for none."""

    def sent(self, name: str) -> str | None:
        """The last value of a parameter, as its name stands here; None where it's missing."""
        return next((v for key, v in reversed(self.request.params) if key == name), None)

    @property
    def events(self) -> list[Any]:
        """What should be events: one, or those of a batch. [] where there are none."""
        if self.route.call == "events":
            return [self.content]
        batch = self.content.get("batch") if isinstance(self.content, dict) else None
        return batch if self.route.call == "batch_events" and isinstance(batch, list) else []


Fields = Mapping[str, object]
"""What an answer's words have between braces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that a server refuses."""

    case: str
    """What is wrong with the request, in a few words."""
    found: Callable[[Arrived], Fields | None]
    """What the answer quotes, {} for nothing; None where the request is not so."""
    status: int
    says: str | Mapping[str, object]
    """Plain text, or a JSON object. Names in braces are found's."""
    source: str
    rule: str = ""
    """The rule of signing that it's about, as judge() names it; "" for anything else."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """A server, as it judges and answers."""

    name: str
    """As `pusherkit sandbox --as` takes it."""
    server: str
    """With its version: "soketi 1.6.1"."""
    rows: tuple[Row, ...]
    """In the order in which this server looks."""
    success: Callable[[str, dict[str, Any]], Mapping[str, Any]]
    """Its answer to an accepted call, made from the practice server's answer to it."""
    source: str
    """Of `success`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How one server takes one request."""

    server: str
    """With its version."""
    case: str
    """What it refuses the request for, in a few words; "" where it accepts it."""
    rule: str
    """The rule of signing that it's refused for; "" for another reason, or none."""
    answer: Answer
    source: str
    """Where we know that from."""

    @property
    def accepts(self) -> bool:
        """Whether the request is taken. The status doesn't say: soketi refuses with 200."""
        return not self.case


# --- playing --------------------------------------------------------------------------------


def arrive(
    credentials: Credentials,
    request: Request,
    *,
    now: float,
    wait: Callable[[int], float] = lambda cost: 0.0,
) -> Arrived:
    """Look at a request once, for all rows. `wait` is Arrived's."""
    return Arrived(
        credentials=credentials,
        request=request,
        now=now,
        route=route(request.method, request.path),
        verdict=judge(credentials, request, now=now),
        content=read_json(request.body.decode(errors="replace")),
        wait=wait,
    )


def refusal(personality: Personality, arrived: Arrived) -> Played | None:
    """What goes out for the first fault that a row finds; None where the request is accepted."""
    hide = arrived.credentials.hide
    for row in personality.rows:
        fields = row.found(arrived)
        if fields is not None:
            shown = {
                name: hide(value) if isinstance(value, str) else value
                for name, value in fields.items()
            }
            return Played(
                server=personality.server,
                case=row.case,
                rule=row.rule,
                answer=_answer(row, shown),
                source=row.source,
            )
    return None


def acceptance(personality: Personality, call: str, ours: dict[str, Any]) -> Played:
    """What goes out for an accepted call, made from the practice server's own answer."""
    body = _json(personality.success(call, ours))
    return Played(
        server=personality.server,
        case="",
        rule="",
        answer=Answer(status=200, body=body, headers=(("Content-Type", JSON_TYPE),)),
        source=personality.source,
    )


def _answer(row: Row, fields: Fields) -> Answer:
    if isinstance(row.says, str):
        body, kind = row.says.format_map(fields), TEXT_TYPE
    else:
        told = fields.get("told", row.says)  # a server that lists what is wrong with each field
        body, kind = _json(_filled(told, fields)), JSON_TYPE
    headers = tuple((name, value.format_map(fields)) for name, value in row.headers)
    return Answer(
        status=row.status,
        body=body,
        headers=((("Content-Type", kind),) if body else ()) + headers,
    )


def _filled(value: Any, fields: Fields) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(inner, fields) for name, inner in value.items()}
    return value.format_map(fields) if isinstance(value, str) else value


def named(name: str) -> Personality:
    """The personality of this name; PusherError if there's none."""
    if name not in PERSONALITIES:
        raise PusherError(
            f"personality: expected {', '.join(PERSONALITIES)}, got {name[:60]!r}. "
            "Without one, the practice server is itself: strict, and it explains."
        )
    return PERSONALITIES[name]


def play(personality: Personality, arrived: Arrived) -> Played:
    """How a server takes one request. An accepted one's answer is the one without counts."""
    return refusal(personality, arrived) or acceptance(personality, arrived.route.call, {})


def publishable(arrived: Arrived) -> tuple[list[Event], str]:
    """The events in a body that a lenient server accepted, as far as ours can deliver them.

    Also why the rest can't be delivered, a sentence; "" where all can. Channels go one by one, so
    that a bad name doesn't hold up the others; those beyond MAX_PUBLISHED are left out.
    """
    events, why_not = list[Event](), ""
    wanted = (
        (fields, channel)
        for fields in arrived.events
        if isinstance(fields, dict)
        for channel in _listed(fields)
    )
    for fields, channel in islice(wanted, MAX_PUBLISHED):
        data, socket_id = fields.get("data"), fields.get("socket_id")
        try:
            known = isinstance(socket_id, str) and SOCKET_ID.fullmatch(socket_id)
            event = Event(
                channels=(channel,),
                name=fields.get("name", ""),
                data=data if isinstance(data, str) else to_json(data),
                socket_id=socket_id if known else None,
            )
        except InvalidEvent as error:
            why_not = str(error)
        else:
            events.append(event)
    if next(wanted, None) is not None:
        why_not = f"one request reaches at most {MAX_PUBLISHED:,} channels here."
    return events, why_not


# --- what several tables ask ----------------------------------------------------------------

NOT_JSON = object()
GEM = "pusher's gem `signature` 0.1.8"


def read_json(text: str) -> Any:
    """The value of a JSON text, as JavaScript and PHP read it; NOT_JSON if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return NOT_JSON


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _when(asked: Callable[[Arrived], object]) -> Callable[[Arrived], Fields | None]:
    """A row's `found` that quotes nothing."""
    return lambda arrived: {} if asked(arrived) else None


def _failed(rule: str) -> Callable[[Arrived], Fields | None]:
    """Whether the practice server's check of this rule failed; quotes its sentence, as `said`."""

    def found(arrived: Arrived) -> Fields | None:
        (check,) = (each for each in arrived.verdict.checks if each.rule == rule)
        return None if check.passed else {"said": check.error}

    return found


def _no_route(arrived: Arrived) -> Fields | None:
    return None if arrived.route.call or arrived.route.allowed else {}


def _wrong_method(arrived: Arrived) -> Fields | None:
    if arrived.route.call or not arrived.route.allowed:
        return None
    return {"allowed": ", ".join(arrived.route.allowed)}


def _other_app(arrived: Arrived) -> Fields | None:
    app_id = unquote(arrived.route.app_id)
    return None if app_id == arrived.credentials.app_id else {"app_id": app_id}


def _publishes(arrived: Arrived) -> bool:
    return arrived.route.call in ("events", "batch_events")


def _not_json(arrived: Arrived) -> Fields | None:
    return {} if _publishes(arrived) and arrived.content is NOT_JSON else None


def _each(
    asked: Callable[[dict[str, Any]], Fields | bool | None],
) -> Callable[[Arrived], Fields | None]:
    """The first event of a body of which `asked` says something."""

    def found(arrived: Arrived) -> Fields | None:
        for event in arrived.events:
            fields = asked(event) if isinstance(event, dict) else None
            if fields is not None and fields is not False:
                return {} if fields is True else fields
        return None

    return found


def _channels(event: Mapping[str, Any]) -> Any:
    """The channels of an event, where `channels` counts before `channel`."""
    return event.get("channels") or ([event["channel"]] if event.get("channel") else [])


def _size(data: object) -> int:
    """Bytes of `data`, as text or as compact JSON; 0 where it's nested too deeply for that."""
    try:
        text = data if isinstance(data, str) else _json(data)
    except RecursionError:  # nested so deeply that it could be read, and can't be written
        return 0
    return len(text.encode(errors="surrogatepass"))


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list) else 0


def _not_presence(arrived: Arrived) -> bool:
    return arrived.route.call == "users" and not arrived.route.arguments[0].startswith("presence-")


def _asks_in_vain(arrived: Arrived, *, caches: bool = True) -> bool:
    """Whether counts are asked for that there aren't: of users, where no presence channel is.

    What a cache channel remembers may be asked for, too, if the server has such channels.
    """
    if arrived.route.call not in ("channels", "channel"):
        return False
    info = set(filter(None, (arrived.sent("info") or "").split(",")))
    where = arrived.sent("filter_by_prefix") or ""
    if arrived.route.call == "channel":
        where = arrived.route.arguments[0]
    unknown = info - {"user_count", "subscription_count"}
    if caches and arrived.route.call == "channel" and is_cache_channel(where):
        unknown -= {"cache"}
    return bool(unknown) or ("user_count" in info and not where.startswith("presence-"))


def _signed(arrived: Arrived, pairs: Sequence[tuple[str, str]]) -> str:
    """The signature that a server computes over its own reading of the parameters."""
    request = arrived.request
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return hmac_sha256(arrived.credentials.secret, f"{request.method}\n{request.path}\n{query}")


def _same(right: str, sent: str | None) -> bool:
    return hmac.compare_digest(right.encode(), (sent or "").encode(errors="surrogatepass"))


def _age(arrived: Arrived) -> float:
    """Seconds between the request's timestamp and the server's clock, either way."""
    return abs(int(arrived.now) - int(arrived.sent("auth_timestamp") or "0"))


WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")  # what Rust and Elixir take for one, in 64 bits


def _unreadable(arrived: Arrived) -> str:
    """What the practice server says of a body that it can't take; "" if it can."""
    try:
        # Pusher takes the fields of an event in the query as well, where there's no body.
        queried = not arrived.request.body and arrived.sent("name") is not None
        if arrived.route.call == "events" and not queried:
            read_event_body(arrived.request.body)
        elif arrived.route.call == "batch_events":
            read_batch_body(arrived.request.body)
    except InvalidEvent as error:
        return str(error)
    return ""


# --- pusher ---------------------------------------------------------------------------------

PUSHER_DATA_BYTES = 10_240  # of one event (pusher/pusher-http-python#220, and its own refusal)
PUSHER_CHANNEL_LENGTH = 164  # characters, prefix included (Pusher's channel documentation)

_PUSHER_TEXT = "thread: pusher/pusher-http-"
_PUSHER = Personality(
    name="pusher",
    server="Pusher",
    rows=(
        Row(
            case="no such path",
            found=_no_route,
            status=404,
            says="No such path.\n",
            source="ours: we know of no thread that quotes Pusher's words",
        ),
        Row(
            case="wrong method",
            found=_wrong_method,
            status=405,
            says="This path takes {allowed}.\n",
            headers=(("Allow", "{allowed}"),),
            source="ours: we know of no thread that quotes Pusher's words",
        ),
        Row(
            case="another app key, or none",
            found=_failed("auth_key"),
            status=400,
            says="{said}\n",
            rule="auth_key",
            source=_PUSHER_TEXT + "php#118: 400 for an unknown key; " + GEM + " for a missing one",
        ),
        Row(
            case="unknown app",
            found=_other_app,
            status=404,
            says="Unknown app id\n",
            source="ours: we know of no thread that quotes Pusher's words",
        ),
        Row(
            case="auth_version missing, or not 1.0",
            found=_failed("auth_version"),
            status=401,
            says="{said}\n",
            rule="auth_version",
            source="read: " + GEM + ", which Pusher's other sentences are from",
        ),
        Row(
            case="timestamp over 600 s off, missing, or not a number",
            found=_failed("auth_timestamp"),
            status=401,
            says="{said}\n",
            rule="auth_timestamp",
            source=_PUSHER_TEXT + "ruby#49; " + GEM + " refuses exactly 600 s, too",
        ),
        Row(
            case="body_md5 that doesn't match the body, or missing",
            found=_failed("body_md5"),
            status=401,
            says="{said}\n",
            rule="body_md5",
            source="ours: the reference asks for it; we know of no thread with Pusher's words",
        ),
        Row(
            case="wrong signature",
            found=_failed("auth_signature"),
            status=401,
            says="{said}\n",
            rule="auth_signature",
            source=_PUSHER_TEXT + "go#91",
        ),
        Row(
            case="name that isn't text",
            found=_each(lambda event: not isinstance(event.get("name"), str)),
            status=400,
            says="Expected name parameter to be a string\n",
            source="thread: pusher/pusher-js#727",
        ),
        Row(
            case="channel name that isn't valid",
            found=_each(lambda event: any(map(_not_pushers, _listed(event)))),
            status=400,
            says="Bad request: Invalid channel name\n",
            source="thread: codefirst/AsakusaSatellite#13; its length is documented",
        ),
        Row(
            case="data over 10 KB",
            found=_each(lambda event: _size(event.get("data")) > PUSHER_DATA_BYTES),
            status=413,
            says="The data content of this event exceeds the allowed maximum (10240 bytes). See "
            "https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info",
            source="thread: always-open/laravel-totem#303",
        ),
        Row(
            case="users of a channel that isn't a presence channel, or counts that don't exist",
            found=_when(lambda arrived: _not_presence(arrived) or _asks_in_vain(arrived)),
            status=400,
            says="Users are in presence channels only\n",
            source="documented: 400; the words are ours",
        ),
        Row(
            case="a body that breaks another rule",
            found=lambda arrived: {"said": said} if (said := _unreadable(arrived)) else None,
            status=400,
            says="{said}\n",
            source="documented: 400, with the reason in the body; the words are ours",
        ),
    ),
    success=lambda call, ours: ours,
    source="documented: 200 and {}, with counts where info asks for them",
)


def _listed(event: Mapping[str, Any]) -> list[Any]:
    channels = _channels(event)
    return channels if isinstance(channels, list) else []


def _not_pushers(channel: object) -> bool:
    if not isinstance(channel, str) or channel.startswith(SERVER_TO_USER):
        return False  # no text at all is another row's
    return len(channel) > PUSHER_CHANNEL_LENGTH or not CHANNEL_NAME.fullmatch(channel)


# --- soketi ---------------------------------------------------------------------------------

SOKETI_DATA_KB = 100  # of one event; eventLimits.maxPayloadInKb
SOKETI_CHANNELS = 100  # of one event; eventLimits.maxChannelsAtOnce
SOKETI_NAME_LENGTH = 200  # of an event; eventLimits.maxNameLength
SOKETI_BATCH = 10  # events; eventLimits.maxBatchSize
# What it leaves out of the text to sign, whether or not it was sent (src/app.ts).
_UNSIGNED = {"auth_signature", "body_md5", "appId", "appKey", "channelName"}


def _soketi_signs(arrived: Arrived) -> str:
    """Its own reading: what is missing counts as its app's key, or as the word undefined."""
    values: dict[str, list[str]] = {}
    for name, value in arrived.request.params:
        values.setdefault(name, []).append(value)
    params = {"auth_key": arrived.credentials.key} | dict.fromkeys(
        ("auth_timestamp", "auth_version"), "undefined"
    )
    params |= {name: ",".join(several) for name, several in values.items()}
    signed = {name: value for name, value in params.items() if name not in _UNSIGNED}
    if arrived.request.method == "POST":
        # A body that isn't JSON counts as {}, and so does none.
        text = arrived.request.body.decode(errors="replace")
        signed["body_md5"] = body_digest(
            (text if read_json(text) is not NOT_JSON else "{}").encode()
        )
    elif arrived.sent("body_md5"):
        signed["body_md5"] = body_digest(b"")
    return _signed(arrived, sorted(signed.items()))


def _soketi_refuses_signature(arrived: Arrived) -> bool:
    sent = [value for name, value in arrived.request.params if name == "auth_signature"]
    return len(sent) != 1 or not _same(_soketi_signs(arrived), sent[0])


def _soketi_stops(arrived: Arrived) -> bool:
    if arrived.route.call == "events":
        return arrived.content is None
    batch = arrived.content.get("batch") if isinstance(arrived.content, dict) else None
    events = batch if isinstance(batch, list) else [None]
    return arrived.route.call == "batch_events" and any(event is None for event in events)


def _soketi_limits(arrived: Arrived) -> bool:
    costs = [
        max(1, _length(_channels(event))) for event in arrived.events if isinstance(event, dict)
    ]
    return arrived.wait(sum(costs) or 1) > 0


def _soketi_lacks(arrived: Arrived) -> bool:
    def lacks(event: object) -> bool:
        if not isinstance(event, dict):
            return True
        there = event.get("channels") is not None and event["channels"] not in ("", 0, False)
        return not ((there or event.get("channel")) and event.get("name") and _truthy(event))

    return any(map(lacks, arrived.events))


def _truthy(event: Mapping[str, Any]) -> bool:
    """Whether JavaScript takes its data for something: [] and {} are."""
    data = event.get("data")
    return isinstance(data, list | dict) or bool(data)


def _code(status: int, error: str) -> dict[str, object]:
    return {"error": error, "code": status}


_SOKETI = Personality(
    name="soketi",
    server="soketi 1.6.1",
    rows=(
        Row(
            case="no such path, or a wrong method",
            found=_when(lambda arrived: not arrived.route.call),
            status=404,
            says="",
            source="measured; the one refusal with a status of its own",
        ),
        Row(
            case="unknown app",
            found=_other_app,
            status=200,
            says=_code(404, "The app {app_id} could not be found."),
            source="measured; read: src/http-handler.ts, appMiddleware",
        ),
        Row(
            case="wrong signature",
            found=_when(_soketi_refuses_signature),
            status=200,
            says=_code(401, "The secret authentication failed"),
            rule="auth_signature",
            source="measured; read: src/app.ts, signingTokenFromRequest. A body that isn't JSON "
            "counts as {}, if it came in one packet with the headers",
        ),
        Row(
            case="a batch without `batch`, or null for an event",
            found=_when(_soketi_stops),
            status=502,
            says={
                "error": "soketi 1.6.1 stops here: its process ends, and the client gets an "
                "empty answer. 502 is what a proxy in front of it would say."
            },
            source="measured: its process ends",
        ),
        Row(
            case="too many requests",
            found=_when(_soketi_limits),
            status=200,
            says=_code(429, "Too many requests."),
            source="measured; each channel of an event counts; how fast the limit recovers is ours",
        ),
        Row(
            case="over 10 events in a batch",
            found=_when(
                lambda arrived: (
                    arrived.route.call == "batch_events" and len(arrived.events) > SOKETI_BATCH
                )
            ),
            status=200,
            says=_code(400, f"Cannot batch-send more than {SOKETI_BATCH} messages at once"),
            source="measured; read: src/http-handler.ts, batchEvents",
        ),
        Row(
            case="name, data or channel missing or empty",
            found=_when(_soketi_lacks),
            status=200,
            says=_code(400, "The received data is incorrect"),
            source="measured; read: src/http-handler.ts, checkMessageToBroadcast",
        ),
        Row(
            case="over 100 channels",
            found=_each(lambda event: _length(_channels(event)) > SOKETI_CHANNELS),
            status=200,
            says=_code(400, f"Cannot broadcast to more than {SOKETI_CHANNELS} channels at once"),
            source="measured; read: src/http-handler.ts, checkMessageToBroadcast",
        ),
        Row(
            case="event name over 200 characters",
            found=_each(lambda event: _length(event.get("name")) > SOKETI_NAME_LENGTH),
            status=200,
            says=_code(
                400, f"Event name is too long. Maximum allowed size is {SOKETI_NAME_LENGTH}."
            ),
            source="measured; read: src/http-handler.ts, checkMessageToBroadcast",
        ),
        Row(
            case="data over 100 KB",
            found=_each(lambda event: _size(event.get("data")) > SOKETI_DATA_KB * 1024),
            status=200,
            says=_code(413, f"The event data should be less than {SOKETI_DATA_KB} KB."),
            source="measured; read: src/http-handler.ts, checkMessageToBroadcast",
        ),
        Row(
            case="users of a channel that isn't a presence channel",
            found=_when(_not_presence),
            status=200,
            says=_code(400, "The channel must be a presence channel."),
            source="measured; read: src/http-handler.ts, channelUsers",
        ),
    ),
    success=lambda call, ours: ours if call in ("channels", "channel", "users") else {"ok": True},
    source='measured: {"ok":true}, and info is ignored',
)


# --- reverb ---------------------------------------------------------------------------------

REVERB_REQUEST_BYTES = 10_000  # of a whole request; max_request_size in config/reverb.php


def _last(arrived: Arrived) -> dict[str, str]:
    """The parameters where of a repeated one the last counts, as in PHP, Elixir and a map."""
    return dict(arrived.request.params)


def _reverb_signs(arrived: Arrived) -> str:
    signed = {name: value for name, value in _last(arrived).items() if name not in _UNSIGNED}
    if arrived.request.body:
        signed["body_md5"] = body_digest(arrived.request.body)
    return _signed(arrived, sorted(signed.items()))


def _reverb_complaints(arrived: Arrived) -> Fields | None:
    """What Laravel's validator says of a body, field by field."""
    if not _publishes(arrived) or not isinstance(arrived.content, dict | list):
        return None
    content = arrived.content if isinstance(arrived.content, dict) else {}
    if arrived.route.call == "events":
        told = _laravel(content, "", one=False)
    elif _blank(content.get("batch")):
        told = {"batch": ["The batch field is required."]}
    elif not isinstance(content["batch"], list | dict):
        told = {"batch": ["The batch field must be an array."]}
    else:
        told = {}
        for number, event in enumerate(arrived.events):
            told |= _laravel(event if isinstance(event, dict) else {}, f"batch.{number}.", one=True)
    return {"told": told} if told else None


def _laravel(event: Mapping[str, Any], where: str, *, one: bool) -> dict[str, list[str]]:
    told = {}
    for field in ("name", "data"):
        if _blank(event.get(field)):
            told[where + field] = [f"The {where}{field} field is required."]
        elif not isinstance(event[field], str):
            told[where + field] = [f"The {where}{field} field must be a string."]
    kinds = {"channels": (list | dict, "an array"), "channel": (str, "a string")}
    for field, other in (
        (("channel", "channels"),)
        if one
        else (
            ("channels", "channel"),
            ("channel", "channels"),
        )
    ):
        kind, said = kinds[field]
        if _blank(event.get(field)):
            if _blank(event.get(other)):
                absent = f"The {where}{field} field is required when {other} is not present."
                told[where + field] = [absent]
        elif not isinstance(event[field], kind):
            told[where + field] = [f"The {where}{field} field must be {said}."]
    for field in ("socket_id", "info"):
        if field in event and not isinstance(event[field], str):
            told[where + field] = [f"The {where}{field} field must be a string."]
    return told


def _blank(value: object) -> bool:
    """What Laravel's rule `required` takes for nothing."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def _reverb_success(call: str, ours: dict[str, Any]) -> Mapping[str, Any]:
    if call == "batch_events":
        counts = [_reverb_counts("user_count" in each, each) for each in ours.get("batch", [])]
        return {"batch": counts if any(counts) else {}}
    if call == "events" and ours:
        return {
            "channels": {
                name: _reverb_counts(name.startswith("presence-"), each)
                for name, each in ours["channels"].items()
            }
        }
    return ours


def _reverb_counts(presence: bool, counts: Mapping[str, int]) -> Mapping[str, int]:
    """A presence channel has users only, and an empty channel has nothing."""
    if presence:
        counts = {name: count for name, count in counts.items() if name != "subscription_count"}
    return counts if any(counts.values()) else {}


_REVERB_CODE = "measured; read: src/Protocols/Pusher/Http/Controllers/"
_REVERB = Personality(
    name="reverb",
    server="Reverb 1.9.0",
    rows=(
        Row(
            case="a request over 10,000 bytes",
            found=_when(lambda arrived: len(arrived.request.body) > REVERB_REQUEST_BYTES),
            status=413,
            says="Payload too large.",
            source="measured; Reverb counts the headers as well; here only the body counts",
        ),
        Row(case="no such path", found=_no_route, status=404, says="Not found.", source="measured"),
        Row(
            case="wrong method",
            found=_wrong_method,
            status=405,
            says="Method not allowed.",
            headers=(("Allow", "{allowed}"),),
            source="measured; read: src/Servers/Reverb/Http/Router.php",
        ),
        Row(
            case="unknown app",
            found=_other_app,
            status=404,
            says="No matching application for ID [{app_id}].",
            source=_REVERB_CODE + "Controller.php, setApplication",
        ),
        Row(
            case="wrong signature",
            found=_when(
                lambda arrived: not _same(_reverb_signs(arrived), arrived.sent("auth_signature"))
            ),
            status=401,
            says="Authentication signature invalid.",
            rule="auth_signature",
            source=_REVERB_CODE + "Controller.php, verifySignature",
        ),
        Row(
            case="a body that isn't a JSON object",
            found=_when(
                lambda arrived: _publishes(arrived) and not isinstance(arrived.content, dict | list)
            ),
            status=500,
            says="Internal server error.",
            source="measured",
        ),
        Row(
            case="a field missing, empty or of another type",
            found=_reverb_complaints,
            status=422,
            says={},
            source=_REVERB_CODE + "EventsController.php, EventsBatchController.php",
        ),
        Row(
            case="users of a channel that isn't a presence channel",
            found=_when(_not_presence),
            status=400,
            says={},
            source="read: ChannelUsersController.php; 404 where nobody is in the channel",
        ),
    ),
    success=_reverb_success,
    source='measured: {}, and {"batch":{}} for a batch; counts where info asks for them',
)


# --- sockudo --------------------------------------------------------------------------------

# Of an app from the environment, unless SOCKUDO_DEFAULT_APP_… says otherwise.
SOCKUDO_DATA_KB = 100  # of one event
SOCKUDO_CHANNELS = 100  # of one event
SOCKUDO_NAME_LENGTH = 100  # bytes of an event's name
SOCKUDO_CHANNEL_LENGTH = 100  # bytes of a channel's name
SOCKUDO_BATCH = 100  # events
_SOCKUDO_FOREIGN = re.compile(r"[^A-Za-z0-9_\-=@,;.:#]")  # what no channel's name may have in it
# A channel's kind, in front of its namespace.
_SOCKUDO_KIND = re.compile(
    "(?:(?:private-(?:encrypted-)?|presence-)?cache-|private-(?:encrypted-)?|presence-)?"
)
_AUTH_PARAMS = ("auth_key", "auth_timestamp", "auth_version", "body_md5", "auth_signature")


def _sockudo_repeated(arrived: Arrived) -> Fields | None:
    names = [name for name, _ in arrived.request.params]
    repeated = next((name for name in _AUTH_PARAMS if names.count(name) > 1), None)
    return {"name": repeated} if repeated else None


def _sockudo_signs(arrived: Arrived) -> str:
    kept = {
        name: value for name, value in sorted(_last(arrived).items()) if name != "auth_signature"
    }
    lowered = {name.lower(): value for name, value in kept.items()}
    return _signed(arrived, sorted(lowered.items()))


def _sockudo_limit(arrived: Arrived) -> Fields | None:
    wait = arrived.wait(1)
    return {"seconds": str(math.ceil(wait))} if wait else None


def _sockudo_md5(arrived: Arrived) -> str:
    """ "missing" or "other" in a POST, "there" in anything else; "" where it's right."""
    sent = next(
        (v for name, v in reversed(arrived.request.params) if name.lower() == "body_md5"), None
    )
    if arrived.request.method != "POST":
        return "" if sent is None else "there"
    if not sent:
        return "missing"
    return "" if _same(body_digest(arrived.request.body), sent) else "other"


def _sockudo_cannot_read(arrived: Arrived) -> bool:
    """JSON whose types serde doesn't take."""
    if not _publishes(arrived):
        return False
    if arrived.route.call == "batch_events" and not (
        isinstance(arrived.content, dict) and isinstance(arrived.content.get("batch"), list)
    ):
        return True
    text_or_none = ("name", "channel", "socket_id", "info")
    return any(
        not isinstance(event, dict)
        or not all(isinstance(event.get(field), str | None) for field in text_or_none)
        or not _texts_or_none(event.get("channels"))
        for event in arrived.events
    )


def _texts_or_none(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def _sockudo_name(event: Mapping[str, Any]) -> Fields | None:
    name = event.get("name")
    if not isinstance(name, str) or _size(name) <= SOCKUDO_NAME_LENGTH:
        return None
    return {"name": name}


def _sockudo_data(event: Mapping[str, Any]) -> Fields | None:
    size = _size(event.get("data"))
    return {"size": size, "name": event["name"]} if size > SOCKUDO_DATA_KB * 1024 else None


def _sockudo_channels(event: Mapping[str, Any]) -> list[str] | None:
    """An empty list isn't filled from `channel`."""
    if event.get("channels") is not None:
        return list(event["channels"])
    return None if event.get("channel") is None else [event["channel"]]


def _sockudo_many(event: Mapping[str, Any]) -> Fields | None:
    count = len(event.get("channels") or [])
    return {"count": count} if count > SOCKUDO_CHANNELS else None


def _sockudo_namespace(event: Mapping[str, Any]) -> Fields | None:
    """A namespace, what is before a colon. A fresh installation has none."""
    for channel in _sockudo_channels(event) or []:
        name, _, _ = _SOCKUDO_KIND.sub("", channel, count=1).partition("#")
        if ":" in name:
            return {"namespace": name.partition(":")[0]}
    return None


def _sockudo_user_limit(event: Mapping[str, Any]) -> Fields | None:
    """Users, named after a #. What begins with it is a user's own messages, and is let through."""
    for channel in _sockudo_channels(event) or []:
        if _SOCKUDO_KIND.sub("", channel, count=1).find("#") > 0:
            return {"channel": channel}
    return None


def _sockudo_bad_channel(event: Mapping[str, Any]) -> Fields | None:
    for channel in _sockudo_channels(event) or []:
        if foreign := _SOCKUDO_FOREIGN.findall(channel):
            return {"channel": channel, "characters": f"[{', '.join(map(repr, foreign))}]"}
    return None


def _sockudo_user_count(arrived: Arrived) -> Fields | None:
    """Whether users are to be counted where there are none. It reads past all else in `info`."""
    if "user_count" not in map(str.strip, (arrived.sent("info") or "").split(",")):
        return None
    if arrived.route.call == "channel":
        return None if arrived.route.arguments[0].startswith("presence-") else {"hint": ""}
    listed = arrived.route.call == "channels"
    if not listed or (arrived.sent("filter_by_prefix") or "").startswith("presence-"):
        return None
    return {"hint": ". Use filter_by_prefix=presence-"}


def _slug(status: int, code: str, error: str) -> dict[str, object]:
    return {"error": error, "code": code, "status": status}


_SOCKUDO_AUTH = "read: crates/sockudo-core/src/auth.rs"
_SOCKUDO_EVENTS = "read: crates/sockudo-server/src/http_handler/events/processor.rs"
_SOCKUDO_AXUM = "read: axum answers before the server's own code; its words are shortened"
_SOCKUDO = Personality(
    name="sockudo",
    server="Sockudo 5.0.1",
    rows=(
        Row(
            case="no such path",
            found=_no_route,
            status=404,
            says="404 NOT FOUND",
            source="read: crates/sockudo-server/src/http_handler/system.rs",
        ),
        Row(
            case="wrong method",
            found=_wrong_method,
            status=405,
            says="",
            headers=(("Allow", "{allowed}"),),
            source=_SOCKUDO_AXUM,
        ),
        Row(
            case="too many requests",
            found=_sockudo_limit,
            status=429,
            says={
                "error": "Too Many Requests",
                "message": "Rate limit exceeded. Please try again later.",
            },
            headers=(("Retry-After", "{seconds}"),),
            source="read: crates/sockudo-rate-limiter/src/middleware.rs; there it's by address, "
            "and before everything else",
        ),
        Row(
            case="no query at all",
            found=_when(lambda arrived: not arrived.request.params),
            status=400,
            says=_slug(400, "invalid_input", "Missing authentication query parameters"),
            rule="auth_key",
            source="read: crates/sockudo-server/src/middleware.rs",
        ),
        Row(
            case="an auth parameter twice",
            found=_sockudo_repeated,
            status=400,
            says=_slug(
                400,
                "invalid_input",
                "Invalid authentication query parameters: duplicate field `{name}`",
            ),
            source="read: crates/sockudo-server/src/middleware.rs",
        ),
        Row(
            case="another app key, or none",
            found=_when(lambda arrived: arrived.sent("auth_key") != arrived.credentials.key),
            status=404,
            says=_slug(
                404,
                "app_not_found",
                "Application key not found or invalid: Invalid app key",
            ),
            rule="auth_key",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="another app's path",
            found=_other_app,
            status=401,
            says=_slug(401, "auth_failed", "Authenticated app does not match route app_id"),
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="timestamp missing",
            found=_when(lambda arrived: not arrived.sent("auth_timestamp")),
            status=401,
            says=_slug(401, "auth_failed", "auth_timestamp is missing"),
            rule="auth_timestamp",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="timestamp that isn't a number",
            found=_when(
                lambda arrived: not WHOLE_NUMBER.fullmatch(arrived.sent("auth_timestamp") or "")
            ),
            status=401,
            says=_slug(401, "auth_failed", "Invalid auth_timestamp format"),
            rule="auth_timestamp",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="timestamp over 600 s off",
            found=_when(lambda arrived: _age(arrived) > TOLERANCE_SECONDS),
            status=401,
            says=_slug(401, "auth_failed", "Timestamp expired or too far in the future"),
            rule="auth_timestamp",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="body_md5 that doesn't match the body",
            found=_when(lambda arrived: _sockudo_md5(arrived) == "other"),
            status=401,
            says=_slug(401, "auth_failed", "body_md5 mismatch"),
            rule="body_md5",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="body_md5 missing",
            found=_when(lambda arrived: _sockudo_md5(arrived) == "missing"),
            status=401,
            says=_slug(
                401,
                "auth_failed",
                "body_md5 is required and must be non-empty in query parameters for POST requests "
                "with a non-empty body",
            ),
            rule="body_md5",
            source=_SOCKUDO_AUTH + "; also where the body is empty",
        ),
        Row(
            case="body_md5 on a GET",
            found=lambda arrived: (
                {"method": arrived.request.method} if _sockudo_md5(arrived) == "there" else None
            ),
            status=401,
            says=_slug(
                401,
                "auth_failed",
                "body_md5 must not be present in query parameters for {method} requests",
            ),
            rule="body_md5",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="wrong signature",
            found=_when(
                lambda arrived: not _same(_sockudo_signs(arrived), arrived.sent("auth_signature"))
            ),
            status=401,
            says=_slug(401, "auth_failed", "Invalid API signature"),
            rule="auth_signature",
            source=_SOCKUDO_AUTH,
        ),
        Row(
            case="a body that isn't JSON",
            found=_not_json,
            status=400,
            says="Failed to parse the request body as JSON",
            source=_SOCKUDO_AXUM,
        ),
        Row(
            case="a field of another type, or no batch",
            found=_when(_sockudo_cannot_read),
            status=422,
            says="Failed to deserialize the JSON body into the target type",
            source=_SOCKUDO_AXUM,
        ),
        Row(
            case="over 100 events in a batch",
            found=lambda arrived: (
                {"count": count} if (count := len(arrived.events)) > SOCKUDO_BATCH else None
            ),
            status=400,
            says=_slug(
                400, "limit_exceeded", f"Batch size ({{count}}) exceeds limit ({SOCKUDO_BATCH})"
            ),
            source="read: crates/sockudo-server/src/http_handler/events/mod.rs",
        ),
        Row(
            case="name missing",
            found=_each(lambda event: event.get("name") is None),
            status=400,
            says=_slug(400, "invalid_input", "Event name is required"),
            source=_SOCKUDO_EVENTS,
        ),
        Row(
            case="event name over 100 bytes",
            found=_each(_sockudo_name),
            status=400,
            says=_slug(
                400,
                "limit_exceeded",
                f"Event name '{{name}}' exceeds maximum length of {SOCKUDO_NAME_LENGTH}",
            ),
            source=_SOCKUDO_EVENTS,
        ),
        Row(
            case="data over 100 KB",
            found=_each(_sockudo_data),
            status=413,
            says=_slug(
                413,
                "payload_too_large",
                "Event payload size ({size} bytes) for event '{name}' exceeds limit "
                f"({SOCKUDO_DATA_KB}KB)",
            ),
            source=_SOCKUDO_EVENTS,
        ),
        Row(
            case="over 100 channels",
            found=_each(_sockudo_many),
            status=400,
            says=_slug(
                400,
                "limit_exceeded",
                f"Number of channels ({{count}}) exceeds limit ({SOCKUDO_CHANNELS})",
            ),
            source=_SOCKUDO_EVENTS,
        ),
        Row(
            case="no channel",
            found=_each(lambda event: not _sockudo_channels(event)),
            status=400,
            says=_slug(
                400,
                "missing_channel_info",
                "Request must contain 'channels' (list) or 'channel' (string)",
            ),
            source=_SOCKUDO_EVENTS,
        ),
        Row(
            case="channel name with a colon",
            found=_each(_sockudo_namespace),
            status=400,
            says=_slug(400, "invalid_input", "Unknown channel namespace '{namespace}'"),
            source="read: crates/sockudo-core/src/utils.rs, validate_channel_name",
        ),
        Row(
            case="channel name over 100 bytes",
            found=_each(
                lambda event: any(
                    _size(channel) > SOCKUDO_CHANNEL_LENGTH
                    for channel in _sockudo_channels(event) or []
                )
            ),
            status=400,
            says=_slug(
                400,
                "invalid_input",
                f"Channel name too long. Max length is {SOCKUDO_CHANNEL_LENGTH}",
            ),
            source="read: crates/sockudo-core/src/utils.rs, validate_channel_name",
        ),
        Row(
            case="channel name that isn't valid",
            found=_each(_sockudo_bad_channel),
            status=400,
            says=_slug(
                400,
                "invalid_input",
                "Channel name contains invalid characters: '{channel}' (invalid chars: "
                "{characters})",
            ),
            source="read: crates/sockudo-core/src/utils.rs, validate_channel_name",
        ),
        Row(
            case="channel name with a # in it",
            found=_each(_sockudo_user_limit),
            status=400,
            says=_slug(
                400,
                "invalid_input",
                "Channel '{channel}' uses user-limited syntax but the namespace does not allow it",
            ),
            source="read: crates/sockudo-core/src/utils.rs, validate_channel_name",
        ),
        Row(
            case="users of a channel that isn't a presence channel",
            found=_when(_not_presence),
            status=400,
            says=_slug(400, "invalid_input", "Only presence channels support this endpoint"),
            source="read: crates/sockudo-server/src/http_handler/channels.rs",
        ),
        Row(
            case="user_count of channels that aren't presence channels",
            found=_sockudo_user_count,
            status=400,
            says=_slug(
                400, "invalid_input", "user_count is only available for presence channels{hint}"
            ),
            source="read: crates/sockudo-server/src/http_handler/channels.rs; a list only where "
            "somebody is in one of them",
        ),
    ),
    success=lambda call, ours: ours or ({"ok": True} if call == "events" else {}),
    source='read: {"ok":true}, and {} for a batch; with counts, also an acknowledgement_id, which '
    "we leave out",
)


# --- poxa -----------------------------------------------------------------------------------

POXA_DATA_BYTES = 10_000  # of one event; PAYLOAD_LIMIT
_POXA_CHANNEL = re.compile(r"[\w\-=@,.;]+", re.ASCII)


def _poxa_signs(arrived: Arrived) -> str:
    """Its values are percent-encoded again, so one with a comma never fits."""
    signed = [
        (quote_plus(name), quote_plus(value))
        for name, value in sorted(_last(arrived).items())
        if name != "auth_signature"
    ]
    return _signed(arrived, signed)


def _poxa_cannot_use(arrived: Arrived) -> bool:
    event = arrived.content
    if arrived.route.call != "events":
        return False
    if not isinstance(event, dict) or not {"name", "data"} <= event.keys():
        return True
    channels = event.get("channels", [event["channel"]] if "channel" in event else None)
    socket_id = event.get("socket_id")
    return (
        not isinstance(channels, list)
        or not all(isinstance(c, str) and _POXA_CHANNEL.fullmatch(c) for c in channels)
        or bool(socket_id and not SOCKET_ID.fullmatch(str(socket_id)))
    )


def _poxa_no_route(arrived: Arrived) -> bool:
    path = arrived.request.path
    return not arrived.route.allowed or path.endswith(("/batch_events", "/terminate_connections"))


def _poxa_md5(arrived: Arrived) -> bool:
    sent, body = arrived.sent("body_md5"), arrived.request.body
    return not (sent is None and not body) and not _same(body_digest(body), sent)


_POXA_AUTH = "measured; read: lib/poxa/authentication.ex; a GET gets the 401 alone, no body"
_POXA_ERROR: dict[str, object] = {"error": "Authentication error"}
_POXA_HEADER = (("WWW-Authenticate", "Authentication error"),)


def _poxa_refuses(case: str, rule: str, asked: Callable[[Arrived], object], source: str) -> Row:
    return Row(
        case=case,
        found=_when(asked),
        status=401,
        says=_POXA_ERROR,
        rule=rule,
        headers=_POXA_HEADER,
        source=source,
    )


_POXA = Personality(
    name="poxa",
    server="Poxa 1.3.0",
    rows=(
        Row(
            case="no such path; batches and ending connections have none",
            found=_when(_poxa_no_route),
            status=404,
            says="",
            source="measured; read: lib/poxa.ex",
        ),
        Row(
            case="wrong method",
            found=_wrong_method,
            status=405,
            says="",
            headers=(("Allow", "{allowed}"),),
            source="measured",
        ),
        Row(
            case="a body that isn't JSON, a field missing, or a name that isn't valid",
            found=_when(_poxa_cannot_use),
            status=400,
            says={"error": "Event must have channel(s), name, and data"},
            source="measured, before the signature; read: lib/poxa/event_handler.ex",
        ),
        Row(
            case="users of a channel that isn't a presence channel, or counts that don't exist",
            found=_when(
                lambda arrived: _not_presence(arrived) or _asks_in_vain(arrived, caches=False)
            ),
            status=400,
            says="",
            source="read: lib/poxa/channels_handler.ex, users_handler.ex",
        ),
        _poxa_refuses(
            "body_md5 that doesn't match the body, or missing", "body_md5", _poxa_md5, _POXA_AUTH
        ),
        _poxa_refuses(
            "another app key, or none",
            "auth_key",
            lambda arrived: arrived.sent("auth_key") != arrived.credentials.key,
            _POXA_AUTH,
        ),
        _poxa_refuses(
            "auth_version missing, or not 1.0",
            "auth_version",
            lambda arrived: arrived.sent("auth_version") != AUTH_VERSION,
            _POXA_AUTH,
        ),
        _poxa_refuses(
            "timestamp missing",
            "auth_timestamp",
            lambda arrived: arrived.sent("auth_timestamp") is None,
            _POXA_AUTH,
        ),
        Row(
            case="timestamp that isn't a number",
            found=_when(
                lambda arrived: not WHOLE_NUMBER.fullmatch(arrived.sent("auth_timestamp") or "")
            ),
            status=500,
            says="",
            rule="auth_timestamp",
            source="measured",
        ),
        _poxa_refuses(
            "timestamp 600 s off, or more",
            "auth_timestamp",
            lambda arrived: _age(arrived) >= TOLERANCE_SECONDS,
            _POXA_AUTH,
        ),
        _poxa_refuses(
            "wrong signature, or a value with a comma",
            "auth_signature",
            lambda arrived: not _same(_poxa_signs(arrived), arrived.sent("auth_signature")),
            _POXA_AUTH + "; it encodes values again before it signs them",
        ),
        Row(
            case="data that isn't text",
            found=_each(lambda event: not isinstance(event.get("data"), str)),
            status=500,
            says="",
            source="measured",
        ),
        Row(
            case="data over 10,000 bytes",
            found=_each(lambda event: _size(event.get("data")) > POXA_DATA_BYTES),
            status=413,
            says={"error": f"Data key must be smaller than {POXA_DATA_BYTES}B"},
            source="measured; read: lib/poxa/event_handler.ex",
        ),
    ),
    success=lambda call, ours: {} if call == "events" else ours,
    source="measured: {}, whatever info asks for. The app id in the path isn't checked",
)


PERSONALITIES: Mapping[str, Personality] = {
    each.name: each for each in (_PUSHER, _SOKETI, _REVERB, _SOCKUDO, _POXA)
}
