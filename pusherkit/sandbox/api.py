"""The practice server's judgement: a request goes in, an answer with its reasons comes out. Pure.

It is strict: it checks every rule that the API reference states, in the order key, version,
timestamp, body, signature. It explains: a refusal names the rule, what was expected, what came,
what to do, and the mistake behind it where one is proven. It never tells the secret or the right
signature.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from pusherkit.diagnosis import diagnose
from pusherkit.errors import InvalidEvent
from pusherkit.events import (
    MAX_BATCH_EVENTS,
    MAX_DATA_BYTES,
    Event,
    read_batch_body,
    read_event_body,
)
from pusherkit.sandbox.channels import Channels
from pusherkit.signing import Credentials, hide_secret, judge

# The app id of the reference's example; official clients take digits only.
PRACTICE_CREDENTIALS = Credentials(
    app_id="6855671",
    key="practice-key",
    secret="practice-secret",  # noqa: S106 - as its name says
    base_url="http://127.0.0.1",
)

LOG_ENTRIES = 1_000  # exchanges that the log remembers
MAX_QUERY_FIELDS = 100  # parameters of one request; ours, so that work stays bounded
# Bytes of a whole body: ten events at the limit, every character of theirs as \uXXXX.
MAX_BODY_BYTES = 6 * MAX_BATCH_EVENTS * MAX_DATA_BYTES + 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request, as far as the API reads it."""

    method: str
    target: bytes
    """Path and query as they stand in the request line: b"/apps/3/events?auth_key=…"."""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer. `body` is JSON in UTF-8."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    note: str = ""
    """One line for people: what was published, or why it was refused and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One entry of the log: a request, without its query, and the answer to it."""

    time: float
    method: str
    path: str
    reply: Reply


class _Refusal(Exception):
    """Carries an explained refusal from the rule that found it to the answer."""

    def __init__(
        self,
        status: int,
        error: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        fix: str = "",
        **details: Any,
    ) -> None:
        super().__init__(error)
        fields = {"error": error, **({"fix": fix} if fix else {}), **details}
        self.reply = Reply(
            status=status,
            body=(json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode(
                errors="backslashreplace"
            ),
            headers=headers,
            note="\n".join([error, *filter(None, [fix]), *_causes(details)]),
        )


def _causes(details: dict[str, Any]) -> list[str]:
    """The proven mistakes behind a refusal, a line each."""
    return [
        f"Cause: {mistake['why']} {mistake['fix']} [{mistake['name']}]"
        for finding in details.get("diagnosis", ())
        for mistake in finding["mistakes"]
    ]


class Sandbox:
    """One app's HTTP API and its channels. Feed it requests and a clock; it does no I/O.

    `rate` is the number of accepted requests per second, as a token bucket that holds at least
    one; None sets no limit.
    """

    def __init__(
        self, credentials: Credentials = PRACTICE_CREDENTIALS, *, rate: float | None = None
    ) -> None:
        self.credentials = credentials
        self.channels = Channels()
        self.log: deque[Exchange] = deque(maxlen=LOG_ENTRIES)
        self._bucket = None if rate is None else TokenBucket(rate)

    def handle(self, request: Request, *, now: float) -> Reply:
        """Judge one request at the time `now` (Unix seconds), act on it, and answer."""
        try:
            reply = self._answer(request, now)
        except _Refusal as refusal:
            reply = self._without_secret(refusal.reply)
        path = request.target.partition(b"?")[0].decode(errors="backslashreplace")
        shown = hide_secret(self.credentials, path)
        self.log.append(Exchange(time=now, method=request.method, path=shown, reply=reply))
        return reply

    def clear(self) -> None:
        """Forget the log."""
        self.log.clear()

    def _answer(self, request: Request, now: float) -> Reply:
        path, params = _read_target(request.target)
        answer, arguments = self._route(request.method, path)
        if len(request.body) > MAX_BODY_BYTES:
            raise _Refusal(
                413,
                f"The body has {len(request.body):,} bytes, "
                f"{len(request.body) - MAX_BODY_BYTES:,} over the limit of {MAX_BODY_BYTES:,}.",
                fix=f"Send at most {MAX_BATCH_EVENTS} events of {MAX_DATA_BYTES:,} bytes each.",
            )
        self._authenticate(request.method, path, params, request.body, now)
        self._limit_rate(now)
        try:
            return answer(self, _once_each(params), request.body, *arguments)
        except InvalidEvent as error:
            numbers: dict[str, Any] = (
                {} if error.limit is None else {"limit": error.limit, "actual": error.actual}
            )
            status = 413 if error.rule == "data_size" else 400
            raise _Refusal(status, str(error), rule=error.rule, **numbers) from None

    def _without_secret(self, reply: Reply) -> Reply:
        """A refusal repeats what it refuses; a secret that stands in there by mistake, it hides."""
        body = hide_secret(self.credentials, reply.body.decode())
        note = hide_secret(self.credentials, reply.note)
        return replace(reply, body=body.encode(), note=note)

    # --- which call is it -------------------------------------------------------------------

    def _route(self, method: str, path: str) -> tuple[Callable[..., Reply], tuple[str, ...]]:
        app = re.fullmatch(r"/apps/([^/]+)(/.*)?", path, flags=re.DOTALL)
        allowed = []
        for verb, pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, (app and app[2]) or "")
            if found and verb == method:
                if app and unquote(app[1]) != self.credentials.app_id:
                    raise _Refusal(
                        404,
                        f"Unknown app id {app[1]!r}: this server has app "
                        f"{self.credentials.app_id}.",
                        fix="Put the app id, not the key, after /apps/.",
                    )
                return answer, tuple(unquote(group) for group in found.groups())
            if found:
                allowed.append(verb)
        if allowed:
            raise _Refusal(
                405,
                f"{method} is not for this path; it takes {', '.join(allowed)}.",
                headers=(("Allow", ", ".join(allowed)),),
            )
        raise _Refusal(
            404,
            f"No such path: {path[:200]!r}.",
            fix=f"Publish with POST /apps/{self.credentials.app_id}/events or /batch_events.",
        )

    # --- may it -----------------------------------------------------------------------------

    def _authenticate(
        self, method: str, path: str, params: tuple[tuple[str, str], ...], body: bytes, now: float
    ) -> None:
        verdict = judge(self.credentials, method, path, params, body, now=now)
        if failed := verdict.failed:
            diagnosis = diagnose(self.credentials, method, path, params, body, now=now)
            raise _Refusal(
                401,
                failed.error,
                rule=failed.rule,
                fix=failed.fix,
                diagnosis=[asdict(finding) for finding in diagnosis.findings],
                canonical_string=verdict.canonical_string,
                checks=[
                    {key: value for key, value in asdict(check).items() if value != ""}
                    for check in verdict.checks
                ],
            )

    def _limit_rate(self, now: float) -> None:
        if self._bucket and (wait := self._bucket.take(now)):
            raise _Refusal(
                429,
                f"Too many requests: this app may send {self._bucket.rate:g} per second.",
                fix=f"Wait {wait:.3g} s, then send the request again, signed anew.",
                headers=(("Retry-After", str(math.ceil(wait))),),
                retry_after=wait,
            )

    # --- do it ------------------------------------------------------------------------------

    def _events(self, params: dict[str, str], body: bytes) -> Reply:
        event = read_event_body(body)
        delivered = self.channels.publish(event)
        note = f"{event.name} → {_list(event.channels)} ({_deliveries(delivered)})"
        if not event.info:
            return _ok({}, note)
        return _ok({"channels": {name: self._counts(name, event) for name in event.channels}}, note)

    def _batch_events(self, params: dict[str, str], body: bytes) -> Reply:
        batch = read_batch_body(body)
        delivered = sum(self.channels.publish(event) for event in batch)
        note = f"batch of {len(batch)} ({_deliveries(delivered)})"
        if not any(event.info for event in batch):
            return _ok({}, note)
        return _ok({"batch": [self._counts(event.channels[0], event) for event in batch]}, note)

    def _channels(self, params: dict[str, str], body: bytes) -> Reply:
        prefix = params.get("filter_by_prefix", "")
        if "user_count" in params.get("info", "").split(",") and not prefix.startswith("presence-"):
            raise InvalidEvent(
                "user_count may only be requested for presence channels: "
                "add filter_by_prefix=presence-.",
                rule="info",
            )
        return _ok({"channels": {name: {} for name in self.channels.occupied(prefix)}})

    def _channel(self, params: dict[str, str], body: bytes, channel: str) -> Reply:
        wanted = params.get("info", "").split(",")
        if "user_count" in wanted and not channel.startswith("presence-"):
            raise InvalidEvent(
                f"user_count may only be requested for presence channels; {channel} is none.",
                rule="info",
            )
        count = self.channels.subscription_count(channel)
        answer: dict[str, Any] = {"occupied": count > 0}
        if "subscription_count" in wanted:
            answer["subscription_count"] = count
        return _ok(answer)

    def _users(self, params: dict[str, str], body: bytes, channel: str) -> Reply:
        if not channel.startswith("presence-"):
            raise InvalidEvent(
                f"Users may only be requested for presence channels; {channel} is none.",
                rule="channel",
            )
        return _ok({"users": []})  # nobody can be in one: presence channels are not open here

    def _counts(self, channel: str, event: Event) -> dict[str, int]:
        if "subscription_count" not in event.info:
            return {}
        return {"subscription_count": self.channels.subscription_count(channel)}


_ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", "/events", Sandbox._events),
    ("POST", "/batch_events", Sandbox._batch_events),
    ("GET", "/channels", Sandbox._channels),
    ("GET", "/channels/([^/]+)", Sandbox._channel),
    ("GET", "/channels/([^/]+)/users", Sandbox._users),
)


class TokenBucket:
    """Holds `rate` tokens, at least one, refilled by `rate` per second. A request takes one."""

    def __init__(self, rate: float) -> None:
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"rate: expected requests per second, above 0; got {rate!r}.")
        self.rate = rate
        self._capacity = max(1.0, rate)
        self._tokens = self._capacity
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._tokens = min(self._capacity, self._tokens + elapsed * self.rate)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate


def _read_target(target: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split a request target into its path, as it stands, and its decoded query."""
    try:
        path, _, query = target.decode().partition("?")
        params = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except UnicodeDecodeError:
        raise _Refusal(400, "The URL is not UTF-8, also after percent-decoding.") from None
    except ValueError:
        raise _Refusal(400, f"The query has over {MAX_QUERY_FIELDS} parameters.") from None
    return path, tuple(params)


def _once_each(params: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The parameters by name; of those that a call reads, none may stand there twice."""
    names = [name for name, _ in params]
    for name in ("filter_by_prefix", "info"):
        if names.count(name) > 1:
            raise InvalidEvent(f"{name}: sent {names.count(name)} times; send it once.", rule=name)
    return dict(params)


def _ok(answer: dict[str, Any], note: str = "") -> Reply:
    return Reply(status=200, body=json.dumps(answer, separators=(",", ":")).encode(), note=note)


def _deliveries(count: int) -> str:
    return f"delivered {count} time{'' if count == 1 else 's'}"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
