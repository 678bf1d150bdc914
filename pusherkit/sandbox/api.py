"""The practice server's judgement: a request goes in, an answer with its reasons comes out. Pure.

It's strict: it checks every rule that the API reference states, in the order key, version,
timestamp, body, signature. It explains: a refusal names the rule, what was expected, what came,
what to do, and the mistake that caused it where one is proven. It never shows the secret or the
right signature.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, unquote_plus

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Mistake
from pusherkit.doctor.search import UNFINISHED, Diagnosis, Finding, explain
from pusherkit.doctor.sentences import meaning_in
from pusherkit.doctor.subscriptions import diagnose_subscription
from pusherkit.doctor.wrappings import letters
from pusherkit.errors import InvalidEvent
from pusherkit.events import (
    ENCRYPTED,
    INFO_ATTRIBUTES,
    MAX_BATCH_EVENTS,
    MAX_DATA_BYTES,
    Event,
    looks_encrypted,
    read_batch_body,
    read_event_body,
    to_json,
)
from pusherkit.sandbox.cache import is_cache_channel
from pusherkit.sandbox.channels import Channels, Delivery, UnauthorizedSubscription
from pusherkit.sandbox.keys import FindKey, Keys, Named
from pusherkit.sandbox.personalities import (
    PERSONALITIES,
    Answer,
    Arrived,
    Played,
    acceptance,
    arrive,
    named,
    play,
    publishable,
    refusal,
)
from pusherkit.sandbox.rate import TokenBucket
from pusherkit.sandbox.routes import Route, check_own_call, route
from pusherkit.sandbox.webhooks import WebhookCall, Webhooks
from pusherkit.signing import Request, Verdict, judge

# The app id of the reference's example; official clients take digits only.
PRACTICE_CREDENTIALS = Credentials(
    app_id="6855671",
    key="practice-key",
    secret="practice-secret",  # noqa: S106 - as its name says
    base_url="http://127.0.0.1",
)

LOG_ENTRIES = 1_000  # of each kind (exchanges, deliveries, …) that are remembered
MAX_LOG_CHARACTERS = 2_000_000  # in those of each kind
MAX_SHOWN_CHANNEL = 200  # characters of a channel in the log; no channel's name is longer
EVENT_FIELDS = ("name", "data", "channel", "socket_id", "info")  # that a query may have instead
MAX_QUERY_FIELDS = 100  # parameters of one request; ours, so that work stays bounded
# Bytes of a body whose mistake is searched for; ours. It leaves room for an event at its limit. The
# search writes such a body's JSON in many ways, each of them 20 ms of Python at this size.
MAX_SEARCHED_BYTES = 128 * 1024
TOO_LARGE_TO_SEARCH = (
    f"The doctor searches bodies up to {MAX_SEARCHED_BYTES:,} bytes here, and this one is larger. "
    "Send a smaller one that's signed in the same way: the mistake will be the same."
)
# Bytes of a whole body: ten events at the limit, every character of theirs as \uXXXX.
MAX_BODY_BYTES = 6 * MAX_BATCH_EVENTS * MAX_DATA_BYTES + 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRequest:
    """An HTTP request as it arrived, before anything is split or decoded."""

    method: str
    target: bytes
    """Path and query as they are in the request line: b"/apps/3/events?auth_key=…"."""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer. `body` is in UTF-8: JSON, unless a Content-Type among the headers says more."""

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
    verdict: Verdict | None = None
    """Every rule of signing, judged; None where it did not come to that (404, 405, …)."""
    strict: Reply | None = None
    """What the practice server itself would have answered, where it played another one."""
    played: Played | None = None
    """The server that it played, and why that one refused it; `reply` is its answer."""
    key: str = ""
    """The key that the request names; "" if it names none of this app's.

    If the practice server itself accepted the request, its sender had that key's secret. If it was
    refused, that's only what it claims.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSubscription:
    """One entry of the log: a subscription, or a user's sign-in, that was refused, and why."""

    time: float
    """Unix seconds."""
    socket_id: str
    channel: str
    """"" in a sign-in."""
    code: int | None
    """What the client was told, with `error`: None, 4300 for a bad name, 4009 in a sign-in."""
    error: str
    diagnosis: Diagnosis
    key: str = ""
    """The key its client connected with, which proves nothing: a key isn't a secret."""

    @property
    def note(self) -> str:
        """For people: why it was refused, and what to do. A line each."""
        found = self.diagnosis
        causes = [_cause(mistake) for finding in found.findings for mistake in finding.mistakes]
        said = [*found.notes, *causes, *filter(None, [found.unexplained])]
        if found.valid:  # signed as it should be, so the error itself says it all
            meaning = meaning_in(letters(self.error))
            said = [meaning.said] if meaning else []
        return "\n".join([self.error, *said])


Entry = Exchange | Delivery | RefusedSubscription | WebhookCall
Act = Callable[[], Reply]
OwnCall = Callable[[str, bytes, float], Reply]
"""Answers a call of your own, given the key that signed it, its body, and the Unix time."""
_Kept = TypeVar("_Kept", bound=Exchange | Delivery | RefusedSubscription | WebhookCall)


class Recent(deque[_Kept]):
    """The latest entries: so many, and so much text. The oldest leave first, the newest stays."""

    def __init__(self) -> None:
        super().__init__()
        self._characters = 0

    def append(self, entry: _Kept) -> None:
        super().append(entry)
        self._characters += _characters(entry)
        while len(self) > LOG_ENTRIES or (self._characters > MAX_LOG_CHARACTERS and len(self) > 1):
            self._characters -= _characters(self.popleft())

    def clear(self) -> None:
        super().clear()
        self._characters = 0


def _characters(entry: Entry) -> int:
    """About how much text an entry holds on to."""
    if isinstance(entry, Delivery):
        return len(entry.event.data) + sum(map(len, entry.event.channels))
    if isinstance(entry, RefusedSubscription):
        proofs = entry.diagnosis.findings
        signed = sum(len(proof.canonical_string) + len(proof.reproduced) for proof in proofs)
        return len(entry.note) + signed
    if isinstance(entry, WebhookCall):
        return len(entry.webhook.body) + len(entry.problem)
    checks = entry.verdict.checks if entry.verdict else ()
    judged = sum(len(check.expected) + len(check.received) + len(check.error) for check in checks)
    replies = [entry.reply, *filter(None, [entry.strict])]
    said = sum(len(reply.body) + len(reply.note) for reply in replies)
    return len(entry.path) + said + judged


class Refusal(Exception):
    """Carries an explained refusal from the rule that found it to the answer, its `reply`."""

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
    """The proven mistakes that caused a refusal, a line each; or why they weren't searched for."""
    causes = [
        _cause(Mistake(**mistake))
        for finding in details.get("diagnosis", ())
        for mistake in finding["mistakes"]
    ]
    return [*causes, *filter(None, [details.get("diagnosis_note")])]


def _cause(mistake: Mistake) -> str:
    return f"Cause: {mistake.why} {mistake.fix} [{mistake.name}]"


def too_large(size: int | None) -> Refusal:
    """The 413 for a body of `size` bytes; None where it is still arriving and already too long."""
    limit = f"the limit of {MAX_BODY_BYTES:,}"
    return Refusal(
        413,
        f"The body is over {limit} bytes."
        if size is None
        else f"The body has {size:,} bytes, {size - MAX_BODY_BYTES:,} over {limit}.",
        fix=f"Send at most {MAX_BATCH_EVENTS} events of {MAX_DATA_BYTES:,} bytes each.",
    )


def cut_off(arrived: int, announced: int) -> Refusal:
    """The 408 for a body that stopped after `arrived` bytes, of those in Content-Length."""
    return Refusal(
        408,
        f"The body didn't arrive: Content-Length says {announced:,} bytes, and {arrived:,} came.",
        fix="Let your HTTP client set Content-Length, or count the bytes, and send all of them.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unauthorized:
    """A request that broke a rule of signing: judged, and not answered yet."""

    time: float
    request: Request
    verdict: Verdict
    named: Named
    """Whose key it names, and what it was judged with."""
    played: Played | None = None
    """What goes out all the same, where another server is played. The refusal is for the log."""
    note: str = ""
    """What was published, if that server accepted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the doctor found out about a refused request."""

    findings: tuple[Finding, ...] = ()
    unfinished: str = ""
    """Why the search wasn't made, or ended early, as a sentence; empty where it is complete."""


class Sandbox:
    """One app's HTTP API and its channels. Feed it requests and a clock; it does no I/O.

    `rate` is the number of accepted requests per second, as a token bucket that holds at least
    one; None sets no limit. `socket_ids` names the connections, "NUMBER.NUMBER" each; where it is
    None they are counted: 1.1, 2.2, and so on. `webhooks` are told what happens in the channels, if
    there are any; a shell posts them. `subscription_count` is as for Channels. `personality` is a
    server to judge and answer as, a name in PERSONALITIES; the log then also says what the strict
    server would have answered.

    `find_key` returns the credentials of another key of the same app, or None if there's no such
    key. It's asked about whatever text arrives, and mustn't raise. The key that a request or a
    subscriber names decides which secret it's judged with. `credentials` stay the app's own, and
    sign its webhooks.

    `calls` are calls of your own, by name: `POST /apps/{app_id}/NAME`. Each request for one is
    judged strictly, the rate included, like any other. If it passes, your function gets the key
    that signed it, the body and the time, and returns the answer, whose body is a JSON object. The
    log has the requests that were refused, here or by your function, and watchers don't hear of
    the others. Raises ValueError for a name that a call can't have.
    """

    def __init__(
        self,
        credentials: Credentials = PRACTICE_CREDENTIALS,
        *,
        rate: float | None = None,
        socket_ids: Iterator[str] | None = None,
        webhooks: Webhooks | None = None,
        subscription_count: bool = False,
        personality: str | None = None,
        find_key: FindKey | None = None,
        calls: Mapping[str, OwnCall] | None = None,
    ) -> None:
        self.credentials = credentials
        self.keys = Keys(credentials, find_key)
        self._calls = {check_own_call(name): call for name, call in (calls or {}).items()}
        self.webhooks = webhooks
        self.personality = None if personality is None else named(personality)
        self.channels = Channels(
            credentials,
            self._delivered,
            lambda refused: self.explain_later(refused),
            webhooks.note if webhooks else lambda event: None,
            socket_ids=socket_ids,
            subscription_count=subscription_count,
            find_key=find_key,
        )
        self.log = Recent[Exchange]()
        self.deliveries = Recent[Delivery]()
        self.refused_subscriptions = Recent[RefusedSubscription]()
        self.webhook_calls = Recent[WebhookCall]()
        self.explain_later: Callable[[UnauthorizedSubscription], object] = self.explain_now
        """Called with each refused subscription. A shell may put the search on another thread."""
        self.watchers: list[Callable[[Entry], None]] = []
        """Each is called with each new entry, on the thread that made it."""
        self.watcher_failed: Callable[[Exception], None] = lambda error: None
        """Called with what a watcher raised. No request hears of it, and the watcher of no more."""
        self._bucket = None if rate is None else TokenBucket(rate)

    def handle(self, raw: RawRequest, *, now: float) -> Reply:
        """Judge one request at the time `now` (Unix seconds), act on it, and answer."""
        judged = self.judge(raw, now=now)
        if isinstance(judged, Reply):
            return judged
        return self.refuse(judged, self.explain(judged))

    def turn_away(self, raw: RawRequest, refusal: Refusal, *, now: float) -> Reply:
        """Answer a request that a shell does not let in: a foreign page's, or one too large."""
        return self._log(now, raw.method, _path(raw), refusal.reply, None, self.named_by(raw))

    def named_by(self, raw: RawRequest) -> Named:
        """The key that an unjudged request names, so that none of its secrets are shown."""
        query = raw.target.partition(b"?")[2].decode(errors="replace")
        pairs = [pair.partition("=") for pair in query.split("&")]
        names = [value for name, _, value in pairs if unquote_plus(name).lower() == "auth_key"]
        return self.keys.named(map(unquote_plus, names))

    # A shell may take handle()'s three steps one by one: explain() is the only long one, and as it
    # touches nothing of the sandbox's, it can run on another thread while others are answered.

    def judge(self, raw: RawRequest, *, now: float) -> Reply | Unauthorized:
        """Answer a request; or say which rule of signing it broke, for refuse() to answer."""
        try:
            path, params = read_target(raw.target)
            if len(raw.body) > MAX_BODY_BYTES and self._found(raw.method, path).call:
                raise too_large(len(raw.body))
        except Refusal as refused:
            return self._log(now, raw.method, _path(raw), refused.reply, None, self.named_by(raw))
        request = Request(raw.method, path, params, raw.body)
        named = self.keys.named(request.values("auth_key"))
        own_call = bool(self._calls) and self._found(raw.method, path).call in self._calls
        if self.personality is not None and not own_call:
            return self._play(request, named, now)
        judged, verdict = self.strictly(request, named, now)
        if isinstance(judged, Unauthorized):
            return judged
        reply = judged if isinstance(judged, Reply) else self._carry_out(judged, named)
        if own_call and reply.status < 400:
            return reply  # there may be many of them, and nobody learns anything from them
        return self._log(now, request.method, request.path, reply, verdict, named)

    def strictly(
        self, request: Request, named: Named, now: float
    ) -> tuple[Reply | Unauthorized | Act, Verdict | None]:
        """What the practice server itself makes of a request, and its verdict on the signing.

        `named` is the key that the request names. An Act is a request that it accepts and hasn't
        carried out yet; in every other case, there's nothing left to do.
        """
        verdict = None
        try:
            found = self._route(request.method, request.path, named)
            verdict = judge(named.credentials, request, now=now)
            if verdict.failed:
                if not named.key and self.keys.several:
                    verdict = _of_no_key(verdict, self.credentials.app_id)
                refused = Unauthorized(time=now, request=request, verdict=verdict, named=named)
                return refused, verdict
            own_call = self._calls.get(found.call)
            # A server that's played checks its rate at a time of its own, and has no own calls.
            if self.personality is None or own_call:
                self.admit(request, named, now=now)
            if own_call:
                return partial(own_call, named.key, request.body, now), verdict
            return _ANSWERS[found.call](self, request, named, now, *found.arguments), verdict
        except InvalidEvent as error:
            return _invalid(error, named.credentials.hide(str(error))).reply, verdict
        except Refusal as refusing:
            return refusing.reply, verdict

    def _play(self, request: Request, named: Named, now: float) -> Reply | Unauthorized:
        """Judge, act and answer as another server does."""
        personality = self.personality
        assert personality is not None  # noqa: S101 - judge() asked
        strict, verdict = self.strictly(request, named, now)
        bucket = self._bucket
        wait = partial(bucket.take, now) if bucket else lambda cost: 0.0
        arrived = arrive(named.credentials, request, now=now, wait=wait)
        played, note = refusal(personality, arrived), ""
        if played is None:
            done = self._do(strict, arrived, named, now)
            note = done.note
            played = acceptance(personality, arrived.route.call, json.loads(done.body))
        if isinstance(strict, Unauthorized):
            return replace(strict, played=played, note=note)
        strict = strict if isinstance(strict, Reply) else _ok({})
        return self._log_played(now, request, verdict, strict, played, note, named)

    def _carry_out(self, act: Act, named: Named) -> Reply:
        done = act()
        return replace(done, note=named.credentials.hide(done.note))

    def _do(
        self, strict: Reply | Unauthorized | Act, arrived: Arrived, named: Named, now: float
    ) -> Reply:
        """Carry out a request that the server played takes, whatever the strict one thinks."""
        if callable(strict):
            return self._carry_out(strict, named)
        if isinstance(strict, Reply) and strict.status == 200:
            return strict
        call, request = arrived.route.call, arrived.request
        if call not in ("events", "batch_events"):
            # Nothing but counts can be asked for wrongly, and those are ignored then.
            kept = [(name, value) for name, value in request.params if name != "info"]
            plain = Request(request.method, request.path, dict(kept))
            made = _ANSWERS[call](self, plain, named, now, *arrived.route.arguments)
            return made if isinstance(made, Reply) else self._carry_out(made, named)
        events, why_not = publishable(arrived)
        delivered = sum(self._deliver(event, named, now) for event in events)
        names = tuple(event.channels[0] for event in events)
        note = f"{_list(names)} ({_deliveries(delivered)})" if names else ""
        left_out = f"not delivered, as it can't be here: {why_not}" if why_not else ""
        return _ok({}, named.credentials.hide("; ".join(filter(None, [note, left_out]))))

    def explain(
        self, refused: Unauthorized, go_on: Callable[[], bool] = lambda: True
    ) -> Explanation:
        """Search for the mistake that broke a rule. `go_on` is the doctor's: False ends it."""
        request, named = refused.request, refused.named
        if not (request.values("auth_signature") or request.values("body_md5")):
            return Explanation()  # nothing was signed, so no mistake was made in signing
        if not named.key and self.keys.several:
            return Explanation()  # nobody knows which secret it should have been signed with
        if len(request.body) > MAX_SEARCHED_BYTES:
            return Explanation(unfinished=TOO_LARGE_TO_SEARCH)
        stopped = False

        def asked() -> bool:
            nonlocal stopped
            stopped = stopped or not go_on()
            return not stopped

        found = explain(named.credentials, request, refused.verdict, go_on=asked)
        return Explanation(findings=found.findings, unfinished=UNFINISHED if stopped else "")

    def refuse(self, refused: Unauthorized, explanation: Explanation) -> Reply:
        """The 401, with every check and with the mistakes that are proven."""
        request, verdict = refused.request, refused.verdict
        failed = verdict.failed
        assert failed is not None  # noqa: S101 - Unauthorized is made of nothing else
        unfinished: dict[str, Any] = (
            {"diagnosis_note": explanation.unfinished} if explanation.unfinished else {}
        )
        reply = Refusal(
            401,
            failed.error,
            rule=failed.rule,
            fix=failed.fix,
            diagnosis=[asdict(finding) for finding in explanation.findings],
            diagnosis_complete=not explanation.unfinished,
            **unfinished,
            canonical_string=verdict.canonical_string,
            checks=[
                {key: value for key, value in asdict(check).items() if value != ""}
                for check in verdict.checks
            ],
        ).reply
        time, played, named = refused.time, refused.played, refused.named
        if played is not None:
            return self._log_played(time, request, verdict, reply, played, refused.note, named)
        return self._log(time, request.method, request.path, reply, verdict, named)

    # A refused subscription was answered by the channels. What's left is to explain it, in the log.

    def explain_now(self, refused: UnauthorizedSubscription) -> None:
        """Explain a refused subscription, and enter it into the log."""
        self.log_subscription(refused, self.explain_subscription(refused))

    def explain_subscription(
        self, refused: UnauthorizedSubscription, go_on: Callable[[], bool] = lambda: True
    ) -> Diagnosis:
        """Search for the mistake in a subscription, or a sign-in. `go_on` is as for explain()."""
        return diagnose_subscription(
            refused.credentials,
            socket_id=refused.socket_id,
            channel=refused.channel,
            auth=refused.auth,
            channel_data=refused.channel_data,
            user_data=refused.user_data,
            go_on=go_on,
        )

    def log_subscription(self, refused: UnauthorizedSubscription, diagnosis: Diagnosis) -> None:
        """Enter a refused subscription into the log."""
        entry = RefusedSubscription(
            time=refused.time,
            socket_id=refused.socket_id,
            channel=refused.credentials.hide(refused.channel[:MAX_SHOWN_CHANNEL]),
            code=refused.code,
            error=refused.error,
            diagnosis=diagnosis,
            key=refused.credentials.key,
        )
        self.refused_subscriptions.append(entry)
        self._tell(entry)

    def log_webhook(self, call: WebhookCall) -> None:
        """Enter a call to the app's own server into the log."""
        self.webhook_calls.append(call)
        self._tell(call)

    def _log(
        self,
        time: float,
        method: str,
        path: str,
        reply: Reply,
        verdict: Verdict | None,
        named: Named,
        *,
        strict: Reply | None = None,
        played: Played | None = None,
    ) -> Reply:
        hide = named.credentials.hide
        exchange = Exchange(
            time=time,
            method=hide(method),
            path=hide(path),
            reply=reply,
            verdict=verdict,
            strict=strict,
            played=played,
            key=named.key,
        )
        self.log.append(exchange)
        self._tell(exchange)
        return reply

    def _log_played(
        self,
        time: float,
        request: Request,
        verdict: Verdict | None,
        strict: Reply,
        played: Played,
        note: str,
        named: Named,
    ) -> Reply:
        answer = played.answer
        # As in the request's JSON: half a surrogate pair in a name is written as \ud8….
        body = answer.body.encode(errors="backslashreplace")
        reply = Reply(status=answer.status, body=body, headers=answer.headers, note=note)
        method, path = request.method, request.path
        return self._log(time, method, path, reply, verdict, named, strict=strict, played=played)

    def clear(self) -> None:
        """Forget the log, the deliveries, the refused subscriptions and the webhooks' calls."""
        self.log.clear()
        self.deliveries.clear()
        self.refused_subscriptions.clear()
        self.webhook_calls.clear()

    def _delivered(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._tell(delivery)

    def _tell(self, entry: Entry) -> None:
        for watcher in tuple(self.watchers):  # one may leave while it is told
            try:
                watcher(entry)
            except Exception as error:  # whatever it is, the request has nothing to do with it
                if watcher in self.watchers:
                    self.watchers.remove(watcher)
                self.watcher_failed(error)

    # --- which call is it -------------------------------------------------------------------

    # Each piece of a request that's repeated goes through hide(). Only pieces: in a whole answer, a
    # secret that's an ordinary word would be found by chance.

    def _found(self, method: str, path: str) -> Route:
        return route(method, path, self._calls)

    def _route(self, method: str, path: str, named: Named) -> Route:
        found, hide = self._found(method, path), named.credentials.hide
        if found.call:
            if unquote(found.app_id) != self.credentials.app_id:
                raise Refusal(
                    404,
                    f"Unknown app id {hide(found.app_id)!r}: this server has app "
                    f"{self.credentials.app_id}.",
                    fix="Put the app id, not the key, after /apps/.",
                )
            return found
        if found.allowed:
            allowed = ", ".join(found.allowed)
            raise Refusal(
                405,
                f"{hide(method)} is not for this path; it takes {allowed}.",
                headers=(("Allow", allowed),),
            )
        raise Refusal(
            404,
            f"No such path: {hide(path)[:200]!r}.",
            fix=_other_path(self.credentials.app_id, path),
        )

    # --- may it -----------------------------------------------------------------------------

    def admit(self, request: Request, named: Named, *, now: float) -> None:
        """Raise Refusal where a request has to wait, although it's signed as it should be.

        Here it's the rate limit. A sandbox with more reasons of its own overrides it. `named` is
        the key that signed the request.
        """
        if self._bucket and (wait := self._bucket.take(now)):
            raise Refusal(
                429,
                f"Too many requests: this app may send {self._bucket.rate:g} per second.",
                fix=f"Wait {wait:.3g} s, then send the request again, signed again.",
                headers=(("Retry-After", str(math.ceil(wait))),),
                retry_after=wait,
            )

    # --- do it ------------------------------------------------------------------------------

    # What changes something is read first, and done by what reading it returns.

    def _deliver(self, event: Event, named: Named, now: float) -> int:
        return self.channels.publish(event, now=now, key=named.key)

    def _events(self, request: Request, named: Named, now: float) -> Act:
        event = read_event_body(request.body or _from_query(request))
        return partial(self._publish, event, named, now)

    def _publish(self, event: Event, named: Named, now: float) -> Reply:
        delivered = self._deliver(event, named, now)
        note = f"{event.name} → {_list(event.channels)} ({_deliveries(delivered)})"
        note += _not_encrypted([event])
        if not event.info:
            return _ok({}, note)
        counts = {name: self._counts(name, event.info) for name in event.channels}
        return _ok({"channels": counts}, note)

    def _batch_events(self, request: Request, named: Named, now: float) -> Act:
        return partial(self._publish_batch, read_batch_body(request.body), named, now)

    def _publish_batch(self, batch: tuple[Event, ...], named: Named, now: float) -> Reply:
        delivered = sum(self._deliver(event, named, now) for event in batch)
        note = f"batch of {len(batch)} ({_deliveries(delivered)})" + _not_encrypted(batch)
        if not any(event.info for event in batch):
            return _ok({}, note)
        counts = [self._counts(event.channels[0], event.info) for event in batch]
        return _ok({"batch": counts}, note)

    def _channels(self, request: Request, named: Named, now: float) -> Reply:
        prefix, info = _once(request, "filter_by_prefix"), _info(request)
        if "user_count" in info and not prefix.startswith("presence-"):
            raise InvalidEvent(
                "user_count may only be requested for presence channels: "
                "add filter_by_prefix=presence-.",
                rule="info",
            )
        names = self.channels.occupied(prefix)
        return _ok({"channels": {name: self._counts(name, info) for name in names}})

    def _channel(self, request: Request, named: Named, now: float, channel: str) -> Reply:
        info = _info(request, (*INFO_ATTRIBUTES, "cache"))
        if "user_count" in info and not channel.startswith("presence-"):
            raise InvalidEvent(
                f"user_count may only be requested for presence channels; {channel} isn't one.",
                rule="info",
            )
        if "cache" in info and not is_cache_channel(channel):
            raise InvalidEvent(
                f"cache may only be requested for cache channels; {channel} isn't one.",
                rule="info",
            )
        occupied = self.channels.subscription_count(channel) > 0
        cached = {"cache": self._cached(channel, now)} if "cache" in info else {}
        return _ok({"occupied": occupied} | self._counts(channel, info) | cached)

    def _cached(self, channel: str, now: float) -> dict[str, Any] | None:
        """What a cache channel remembers, and for how many seconds more."""
        event = self.channels.cached(channel, now=now)
        return {"data": event.data, "ttl": math.ceil(event.until - now)} if event else None

    def _users(self, request: Request, named: Named, now: float, channel: str) -> Reply:
        if not channel.startswith("presence-"):
            raise InvalidEvent(
                f"Users may only be requested for presence channels; {channel} isn't one.",
                rule="channel",
            )
        return _ok({"users": [{"id": user} for user in self.channels.users(channel)]})

    def _terminate(self, request: Request, named: Named, now: float, user_id: str) -> Act:
        return partial(self._close, user_id, named)

    def _close(self, user_id: str, named: Named) -> Reply:
        closed = self.channels.terminate(user_id)
        name = named.credentials.hide(user_id)[:MAX_SHOWN_CHANNEL]
        return _ok({}, f"user {name}: closed {closed} connection{'' if closed == 1 else 's'}")

    def _counts(self, channel: str, info: Iterable[str]) -> dict[str, int]:
        """The counts asked for; there are users in presence channels only."""
        counts = {}
        if "subscription_count" in info:
            counts["subscription_count"] = self.channels.subscription_count(channel)
        if "user_count" in info and channel.startswith("presence-"):
            counts["user_count"] = len(self.channels.users(channel))
        return counts


_ANSWERS: dict[str, Callable[..., Reply | Act]] = {
    "events": Sandbox._events,
    "batch_events": Sandbox._batch_events,
    "channels": Sandbox._channels,
    "channel": Sandbox._channel,
    "users": Sandbox._users,
    "terminate": Sandbox._terminate,
}


def matrix(credentials: Credentials, request: Request, *, now: float) -> tuple[Played, ...]:
    """How the practice server and each server that it plays would take one request, side by side.

    Nothing is published. An accepted request's answer is the one that has no counts, which there
    are only where somebody subscribes. `now` is the servers' clock in Unix seconds.
    """
    sandbox = Sandbox(credentials)
    named = sandbox.keys.named(request.values("auth_key"))
    strict, _ = sandbox.strictly(request, named, now)
    arrived = arrive(credentials, request, now=now)
    return (_played(strict), *(play(each, arrived) for each in PERSONALITIES.values()))


def _played(strict: Reply | Unauthorized | Act) -> Played:
    case, rule, reply = "", "", strict
    if isinstance(reply, Unauthorized):
        failed = reply.verdict.failed
        assert failed is not None  # noqa: S101 - Unauthorized is made of nothing else
        case = rule = failed.rule
        reply = Refusal(401, failed.error, rule=rule, fix=failed.fix).reply
    elif not isinstance(reply, Reply):
        reply = _ok({})
    elif reply.status != 200:
        case = json.loads(reply.body)["error"]
    return Played(
        server="the practice server",
        case=case,
        rule=rule,
        answer=Answer(status=reply.status, body=reply.body.decode(), headers=reply.headers),
        source="measured: this server",
    )


def _of_no_key(verdict: Verdict, app_id: str) -> Verdict:
    """The verdict on a request that names none of several keys: none of them was expected."""
    about_key, *others = verdict.checks
    return replace(verdict, checks=(replace(about_key, expected=f"a key of app {app_id}"), *others))


def _other_path(app_id: str, path: str) -> str:
    """What to do about a path that there isn't."""
    if re.match("/users/[^/]", path):  # PyPI's pusher 3.3.4 asks for that
        return f"It begins with the app: /apps/{app_id}/users/ID/terminate_connections."
    if re.fullmatch("/apps/[^/]+/channels/[^/]+/stats", path):  # deprecated by Pusher in 2012
        return f"Ask with GET /apps/{app_id}/channels/CHANNEL, which has taken that call's place."
    if path.startswith("/pusher/app/"):  # where pusher-js goes without a WebSocket
        return "pusher-js's fallbacks to HTTP aren't spoken here. Subscribe by WebSocket: /app/KEY."
    return f"Publish with POST /apps/{app_id}/events or /batch_events."


def _path(raw: RawRequest) -> str:
    """The path as the log shows it: without the query, whatever its bytes are."""
    return raw.target.partition(b"?")[0].decode(errors="backslashreplace")


def read_target(target: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Split a request target into its path, as it came, and its decoded query."""
    try:
        path, _, query = target.decode().partition("?")
        params = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except UnicodeDecodeError:
        raise Refusal(400, "The URL is not UTF-8, also after percent-decoding.") from None
    except ValueError:
        raise Refusal(400, f"The query has over {MAX_QUERY_FIELDS} parameters.") from None
    return path, tuple(params)


def _invalid(error: InvalidEvent, sentence: str) -> Refusal:
    numbers: dict[str, Any] = (
        {} if error.limit is None else {"limit": error.limit, "actual": error.actual}
    )
    status = 413 if error.rule == "data_size" else 400
    return Refusal(status, sentence, rule=error.rule, **numbers)


def _info(request: Request, known: tuple[str, ...] = INFO_ATTRIBUTES) -> tuple[str, ...]:
    """The attributes that a query asks for."""
    info = tuple(filter(None, _once(request, "info").split(",")))
    for attribute in info:
        if attribute not in known:
            raise InvalidEvent(
                f"info: expected {' or '.join(known)}, got {attribute[:60]!r}.",
                rule="info",
            )
    return info


def _from_query(request: Request) -> bytes:
    """The body that an event's parameters in the query amount to; empty where there are none.

    Pusher's HTTP API allows them there, and recommends the body. Several channels are as many
    parameters, each of them named `channels[]`.
    """
    there = {name for name, _ in request.params}
    fields: dict[str, Any] = {name: _once(request, name) for name in EVENT_FIELDS if name in there}
    if channels := [value for name, value in request.params if name == "channels[]"]:
        fields["channels"] = channels
    return to_json(fields).encode() if fields else b""


def _once(request: Request, name: str) -> str:
    """The value of a parameter that a call reads, "" where it is missing."""
    values = [value for key, value in request.params if key == name]
    if len(values) > 1:
        raise InvalidEvent(f"{name}: sent {len(values)} times; send it once.", rule=name)
    return values[0] if values else ""


def _ok(answer: dict[str, Any], note: str = "") -> Reply:
    return Reply(status=200, body=json.dumps(answer, separators=(",", ":")).encode(), note=note)


def _not_encrypted(events: Iterable[Event]) -> str:
    """A line about each encrypted channel whose data came readable. Nobody can open that.

    The service passes on whatever comes.
    """
    readable = [
        event.channels[0]
        for event in events
        if event.channels[0].startswith(ENCRYPTED) and not looks_encrypted(event.data)
    ]
    return "".join(
        f"\nThe data for {channel} came unencrypted, so its subscribers can't read it. Publish "
        "with an SDK that has the master key."
        for channel in dict.fromkeys(readable)
    )


def _deliveries(count: int) -> str:
    return f"delivered {count} time{'' if count == 1 else 's'}"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
