"""The live page of the practice server: each request with its verdict, each event that goes out.

LivePage serves one HTML file that needs nothing from outside. LiveFeed is the WebSocket that the
page listens to: first what the sandbox remembers, then each new entry. DoctorDesk is where the
page's second tab hands in what somebody pasted.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import cache, partial
from importlib import resources
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from pusherkit.credentials import Credentials
from pusherkit.doctor.consult import App, Opinion, consult
from pusherkit.errors import UnreadableText
from pusherkit.sandbox.api import (
    PRACTICE_CREDENTIALS,
    Entry,
    Exchange,
    Refusal,
    RefusedSubscription,
    Sandbox,
)
from pusherkit.sandbox.channels import Delivery
from pusherkit.sandbox.explainer import GoOn, NotSearched
from pusherkit.sandbox.handler import BodyHandler, Handler, Shell
from pusherkit.sandbox.sockets import BoundedWebSocket
from pusherkit.sandbox.webhooks import WebhookCall

PAGE_ENTRIES = 500  # that the page keeps; the oldest leave first
MAX_PASTED_BYTES = 1024 * 1024  # of a text for the page's doctor; the command reads 8 MiB
MAX_BACKLOG_BYTES = 2 * 1024 * 1024  # of remembered entries for a page that opens; the newest


def entry_json(entry: Entry) -> str:
    """An entry as the page reads it: a JSON object, in ASCII.

    `kind` is request, event, refused or webhook.

    A request has time, method, path, status, note, answer (the reply's JSON), canonical_string
    (null where it did not come to signing) and checks, all of them the strict server's. Where
    another server is played, its `played` isn't null, and has what that one sent: server, case
    ("" where it accepts), status, body, note. An event has time, channels, name, data,
    socket_id, subscribers and client_event. A refused subscription or sign-in has time, what (which
    of the two), channel, socket_id, code, note and findings. A webhook has time, said (its events
    in a few words), attempt, status (null where no answer came), delivered, note, key and body.
    """
    if isinstance(entry, WebhookCall):
        return json.dumps(_webhook(entry))
    if isinstance(entry, RefusedSubscription):
        return json.dumps(_refused(entry))
    return json.dumps(_request(entry) if isinstance(entry, Exchange) else _event(entry))


def _request(exchange: Exchange) -> dict[str, Any]:
    sent, verdict = exchange.reply, exchange.verdict
    reply = exchange.strict or sent
    answer = json.loads(reply.body)
    for said_below in ("canonical_string", "checks"):
        answer.pop(said_below, None)
    return {
        "kind": "request",
        "time": exchange.time,
        "method": exchange.method,
        "path": exchange.path,
        "status": reply.status,
        "note": reply.note,
        "answer": answer,
        "canonical_string": verdict.canonical_string if verdict else None,
        "checks": [asdict(check) for check in verdict.checks] if verdict else [],
        "played": _played(exchange),
    }


def _played(exchange: Exchange) -> dict[str, Any] | None:
    played, sent = exchange.played, exchange.reply
    if played is None:
        return None
    return {
        "server": played.server,
        "case": played.case,
        "status": sent.status,
        "body": played.answer.body,
        "note": sent.note,
    }


def _event(delivery: Delivery) -> dict[str, Any]:
    event = delivery.event
    return {
        "kind": "event",
        "time": delivery.time,
        "channels": event.channels,
        "name": event.name,
        "data": event.data,
        "socket_id": event.socket_id,
        "subscribers": delivery.subscribers,
        "client_event": delivery.client_event,
    }


def _refused(entry: RefusedSubscription) -> dict[str, Any]:
    return {
        "kind": "refused",
        "time": entry.time,
        "what": entry.diagnosis.what,
        "channel": entry.channel,
        "socket_id": entry.socket_id,
        "code": entry.code,
        "note": entry.note,
        "findings": [asdict(finding) for finding in entry.diagnosis.findings],
    }


def _webhook(call: WebhookCall) -> dict[str, Any]:
    # Without the signature: anybody who can open this page could pass the webhook off as theirs.
    return {
        "kind": "webhook",
        "time": call.time,
        "said": str(call.webhook),
        "attempt": call.attempt,
        "status": call.status,
        "delivered": call.delivered,
        "note": call.note,
        "key": call.webhook.key,
        "body": call.webhook.body.decode(),
    }


class LivePage(Handler):
    """GET /: the page."""

    def get(self) -> None:
        page, policy = page_and_policy("pusherkit.sandbox", "live.html")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", policy)
        self.set_header("Referrer-Policy", "no-referrer")
        self.finish(page)


@cache
def page_and_policy(package: str, file: str) -> tuple[bytes, str]:
    """A page that is one file, and the Content-Security-Policy for it.

    That lets the page's own script and style run, and nothing else.
    """
    page = resources.files(package).joinpath(file).read_bytes()
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src {_hash(page, b'script')}; style-src {_hash(page, b'style')}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return page, policy


def _hash(page: bytes, tag: bytes) -> str:
    """The source expression for an inline element (CSP level 3, section 2.3.1)."""
    (inside,) = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), page, flags=re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inside).digest()).decode()}'"


class LiveFeed(Handler, BoundedWebSocket):
    """The WebSocket /live, for the live page itself: not for other pages of this machine."""

    def initialize(self, shell: Shell) -> None:
        super().initialize(shell)
        self.begin(shell.open_sockets)
        self._sandbox = shell.sandbox

    def check_origin(self, origin: str) -> bool:
        return super().check_origin(origin) or self.shell.visitors.knows(origin)

    def open(self, *_: str, **__: str) -> None:
        super().open()
        credentials = self._sandbox.credentials
        practice = credentials.secret == PRACTICE_CREDENTIALS.secret  # which everybody knows
        hello = {
            "kind": "hello",
            "app_id": credentials.app_id,
            "key": credentials.key,
            "secret": credentials.secret if practice else None,
            "keep": PAGE_ENTRIES,
            "url": self.shell.url,
            "plays": self._sandbox.personality.server if self._sandbox.personality else None,
        }
        self.send(json.dumps(hello))
        for text in _backlog(self._sandbox):
            self.send(text)
        self.send('{"kind": "live"}')
        self._sandbox.watchers.append(self._tell)

    def leave(self) -> None:
        if self._tell in self._sandbox.watchers:
            self._sandbox.watchers.remove(self._tell)

    def _tell(self, entry: Entry) -> None:
        self.send(entry_json(entry))


def _backlog(sandbox: Sandbox) -> Iterable[str]:
    """The latest entries as JSON, oldest first: as many as the page keeps and as fit."""
    # An event goes out before its request is answered, so at the same moment it comes first.
    logs: list[Iterable[Entry]] = [
        sandbox.deliveries,
        sandbox.refused_subscriptions,
        sandbox.log,
        sandbox.webhook_calls,
    ]
    entries: Iterable[Entry] = heapq.merge(*logs, key=attrgetter("time"))
    texts: deque[str] = deque()
    room = MAX_BACKLOG_BYTES
    for entry in reversed(deque(entries, maxlen=PAGE_ENTRIES)):
        text = entry_json(entry)
        room -= len(text)
        if room < 0:
            break
        texts.appendleft(text)
    return texts


# --- the doctor's tab -----------------------------------------------------------------------------

NOT_SIGNED_HERE = (
    "this server has your own app's secret, and everybody on this machine can open this page. "
    "`pusherkit doctor` prints it in your terminal."
)


class DoctorDesk(BodyHandler):
    """POST /doctor: any text in, as the body; the doctor's report out, as JSON.

    The report's fields, with `status`; or `unusable`, a sentence, where there is nothing to judge.
    It's judged with this server's own app, whose secret doesn't leave the process. Otherwise
    the page would sign for anyone who can open it, so only practice requests are signed here.
    """

    max_bytes = MAX_PASTED_BYTES

    def too_large(self, size: int | None) -> Refusal:
        came = "more" if size is None else f"{size:,}"
        return Refusal(
            413,
            f"The text is over the limit of {self.max_bytes:,} bytes here: {came} came.",
            fix="Paste the request alone, or give the file to `pusherkit doctor`.",
        )

    def prepare(self) -> None:
        super().prepare()
        origin, host = (self.request.headers.get(name, "") for name in ("Origin", "Host"))
        own = urlsplit(origin).netloc.lower() == host.lower()
        if origin and not (own or self.shell.visitors.knows(origin) or self.turned_away):
            # As for the feed: for the live page itself, not for other pages of this machine.
            error = "The doctor of the live page is for that page alone."
            self.turn_away(Refusal(403, error, fix="Open this server's own address, and its tab."))

    async def post(self) -> None:
        await self.arrived()

    async def answer(self, body: bytes) -> None:
        text = body.decode(errors="surrogateescape")
        search = partial(report_json, text, self.shell.sandbox.credentials, self.shell.clock())
        try:
            told = await self.shell.explainer.search(search, self.gone)
        except NotSearched as why:
            told = json.dumps({"unusable": str(why)})
        self.set_header("Cache-Control", "no-store")
        self.finish(told)


def report_json(text: str, credentials: Credentials, now: float, go_on: GoOn) -> str:
    """What the doctor says of a text, as the page reads it: JSON in ASCII, without the secret."""
    try:
        report = consult(text, App.of(credentials), now=now, go_on=go_on)
    except UnreadableText as error:
        return json.dumps({"unusable": credentials.hide(str(error))})
    if credentials.secret != PRACTICE_CREDENTIALS.secret:
        report = replace(report, opinions=tuple(map(_unsigned, report.opinions)))
    return json.dumps({**asdict(report), "status": report.status})


def _unsigned(opinion: Opinion) -> Opinion:
    if not opinion.corrected:
        return opinion
    return replace(opinion, corrected="", not_corrected=NOT_SIGNED_HERE)
