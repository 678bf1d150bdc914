"""The doctor's one door: any text in, one report out. Pure.

`consult()` has the text read (`pasted.py`), lets each part be judged by those who know about it
(requests: `search.py`; subscriptions, webhooks, refusals, failures: the files of those names), and
puts together what a person needs next: what the text was taken for, what is wrong, what is left
if nothing is, and the same request signed right.

The command line, the practice server's page and lesson 08 all print this report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Literal
from urllib.parse import unquote

from pusherkit.authorization import authenticate_user, channel_auth
from pusherkit.credentials import Credentials
from pusherkit.doctor.door import Door
from pusherkit.doctor.failures import explain_failure
from pusherkit.doctor.misplaced import misplaced
from pusherkit.doctor.mistakes import MILLISECOND_DIGITS
from pusherkit.doctor.pasted import (
    NOTHING,
    Pasted,
    PastedRequest,
    PastedSubscription,
    PastedWebhook,
    app_in,
    read,
)
from pusherkit.doctor.refusals import (
    ASK_THE_PRACTICE_SERVER,
    UNRECOGNISED,
    diagnose_refusal,
    what_is_left,
)
from pusherkit.doctor.search import (
    FIRST_TIMESTAMP,
    PLACEHOLDERS,
    Diagnosis,
    explain,
    without_quotes,
)
from pusherkit.doctor.subscriptions import diagnose_subscription
from pusherkit.doctor.webhooks import diagnose_webhook
from pusherkit.doctor.wrappings import QuotedString, quoted_string
from pusherkit.errors import InvalidEvent, UnreadableText
from pusherkit.signing import TOLERANCE_SECONDS, Request, Verdict, judge, sign
from pusherkit.snippets import curl

MAX_JUDGED = 20  # requests, subscriptions and webhooks of one text: each takes some 90 ms; ours
FORMS = (
    "a curl, wget, HTTPie or PowerShell command; a fetch, axios, requests or httpx call; an HTTP "
    "request as text, or what curl -v shows; a HAR, a Postman collection, a log line; a 401, an "
    "exception or any other answer; a subscription (auth, channel, socket_id) or a webhook"
)
"""What the doctor reads, to be said where something is asked for."""

Kind = Literal["request", "subscription", "webhook", "refusal", "failure"]
_UNPROVEN = "Set PUSHER_SECRET to the app's secret, and the doctor tries to prove which mistake."


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What is known of the app, "" for each part that isn't."""

    secret: str = field(default="", repr=False)
    key: str = ""
    app_id: str = ""

    @classmethod
    def of(cls, credentials: Credentials) -> App:
        """All of it."""
        return cls(secret=credentials.secret, key=credentials.key, app_id=credentials.app_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the doctor says of one thing in the text.

    `about` names it in a few words. `noticed` are facts beside the diagnosis, `left` says what can
    still be wrong where the diagnosis finds nothing. `corrected` is the same thing signed right,
    ready to be pasted, and `not_corrected` the reason where there is none; both are "" where
    nothing has to be corrected. `goes_to` is the host that a corrected request goes to.
    """

    kind: Kind
    about: str
    diagnosis: Diagnosis
    noticed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    corrected: str = ""
    not_corrected: str = ""
    goes_to: str = ""

    def __str__(self) -> str:
        return "\n".join([*self.noticed, str(self.diagnosis), *self.left])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the doctor says of a text. `unjudged` counts what was over MAX_JUDGED."""

    read_as: str
    opinions: tuple[Opinion, ...]
    unjudged: int = 0

    @property
    def status(self) -> int:
        """0: all of it is valid. 1: something isn't, and it's named. 2: something isn't named."""
        judged = [each for each in self.opinions if each.kind not in ("refusal", "failure")]
        # A server that only says no names nothing, and takes nothing away from a verdict.
        said_no = [each for each in self.opinions if _only_says_no(each.diagnosis)]
        named = [each for each in self.opinions if each not in said_no]
        if any(each.diagnosis.unexplained for each in named) or (said_no and not judged):
            return 2
        return 0 if all(each.diagnosis.valid for each in named) else 1

    def __str__(self) -> str:
        blocks = [f"Read as: {self.read_as}"]
        several = len(self.opinions) > 1
        for number, each in enumerate(self.opinions, start=1):
            blocks.append(f"{number}. {each.about}\n{each}" if several else str(each))
        if self.unjudged:
            blocks.append(
                f"{self.unjudged} more are in the text and were not judged. Paste fewer at a time."
            )
        for number, each in enumerate(self.opinions, start=1):
            which = f" ({number})" if several else ""
            if each.corrected and each.kind == "request":
                blocks.append(
                    f"The same request, signed right, now{which}. This goes to {each.goes_to}:\n"
                    f"{each.corrected}"
                )
            elif each.corrected:
                blocks.append(f"The same {each.kind}, signed right{which}:\n{each.corrected}")
            elif each.not_corrected:
                blocks.append(f"No corrected {each.kind}{which}: {each.not_corrected}")
        return "\n\n".join(blocks)


def consult(
    text: str,
    app: App,
    *,
    now: float,
    read_file: Callable[[str], bytes] | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> Report:
    """Read a text, whatever it is, and say what is wrong.

    `now` is Unix time in seconds. Without the app's secret nothing is proven, and what is said
    comes from the text alone. `read_file` as for pasted.read(), `go_on` as for explain(). The
    report doesn't hold the secret. Raises UnreadableText for what holds nothing to judge.
    """
    return examine(read(text, read_file=read_file), app, now=now, go_on=go_on)


def examine(
    pasted: Pasted, app: App, *, now: float, go_on: Callable[[], bool] = lambda: True
) -> Report:
    """The same, for a text that has been read already."""
    return _Examination(pasted, app, now, go_on).report()


def needs_secret(pasted: Pasted) -> bool:
    """Whether a text holds what only the secret can judge."""
    return bool(pasted.requests or pasted.subscriptions or pasted.webhooks)


def _only_says_no(diagnosis: Diagnosis) -> bool:
    return ASK_THE_PRACTICE_SERVER in diagnosis.notes


def _nothing_to_judge(pasted: Pasted) -> UnreadableText:
    if needs_secret(pasted):
        return UnreadableText("no secret was given. Set PUSHER_SECRET to the app's secret.")
    if pasted.form != NOTHING:
        return UnreadableText(
            f"The text was read as {pasted.form}, and nothing in it goes to this API: its requests "
            "go to /apps/{app_id}/…."
        )
    if not pasted.said.strip():
        return UnreadableText(f"There is nothing in the input. Expected {FORMS}.")
    return UnreadableText(
        f"There is no request in the text, and no answer that is known. Expected {FORMS}."
    )


# --- the parts of a text, one by one --------------------------------------------------------------


class _Examination:
    """One text that was read, and what is known of the app."""

    def __init__(self, pasted: Pasted, app: App, now: float, go_on: Callable[[], bool]) -> None:
        self._pasted, self._app, self._now, self._go_on = pasted, app, now, go_on
        self._door = Door(app.secret)
        answers = [each.response for each in pasted.requests]
        self._said = "\n".join([pasted.said, *answers]).strip()
        self._failure = explain_failure(self._said) if self._said else None

    def report(self) -> Report:
        pasted = self._pasted
        work: list[Callable[[], Opinion]] = []
        if self._app.secret:
            work += [partial(self._request, each) for each in pasted.requests]
            work += [partial(self._subscription, each) for each in pasted.subscriptions]
            work += [partial(self._webhook, each) for each in pasted.webhooks]
        judged = [judge_one() for judge_one in work[:MAX_JUDGED]]
        # Where nothing was asked, that comes first; a refusal adds to what was judged.
        opinions = [*self._failed(), *judged, *self._refused(judged)]
        if not opinions:
            raise _nothing_to_judge(pasted)
        read_as = pasted.form if needs_secret(pasted) else f"the text of a {opinions[0].kind}"
        return _hidden(
            Report(read_as=read_as, opinions=tuple(opinions), unjudged=len(work) - len(judged)),
            self._door,
        )

    # What a server or a library said: it's a failure, or else a refusal, or neither is known.

    def _failed(self) -> Iterator[Opinion]:
        if self._failure:
            diagnosis = Diagnosis(valid=False, notes=(str(self._failure),))
            yield Opinion(kind="failure", about="what happened", diagnosis=diagnosis)

    def _refused(self, judged: list[Opinion]) -> Iterator[Opinion]:
        proven = any(each.diagnosis.findings for each in judged)
        if not self._said or self._failure or proven:
            return
        credentials = None
        said = self._said
        if self._app.secret:
            quoted = quoted_string(said)
            if quoted:
                said = _quoting(said, quoted, self._app)
                quoted = quoted_string(said)
            credentials = _credentials_for(
                _as_request(quoted) if quoted else Request("", ""), self._app
            )
        diagnosis = self._without_a_key(diagnose_refusal(said, credentials))
        if UNRECOGNISED in diagnosis.notes:
            return
        if not self._app.secret:
            diagnosis = replace(diagnosis, notes=(*diagnosis.notes, _UNPROVEN))
        yield Opinion(kind="refusal", about="what the server said", diagnosis=diagnosis)

    def _request(self, pasted: PastedRequest) -> Opinion:
        pasted = self._filled_in(pasted)
        elsewhere = misplaced(pasted)
        signed = (elsewhere and elsewhere.request) or pasted.request
        credentials = _credentials_for(signed, self._app, pasted.base_url)
        if elsewhere and elsewhere.request is None:
            diagnosis = Diagnosis(valid=False, notes=elsewhere.notes)
        else:
            diagnosis = self._diagnosis(replace(pasted, request=signed), credentials)
        if elsewhere and elsewhere.request:
            notes = (*elsewhere.notes, *diagnosis.notes)
            diagnosis = replace(diagnosis, valid=False, notes=notes)
        if diagnosis.valid and _SLASHES.search(pasted.request.path):
            diagnosis = replace(diagnosis, valid=False, notes=(*diagnosis.notes, SLASHES_SIGNED))
        corrected = Corrected()
        if not diagnosis.valid:
            corrected = _corrected(credentials, pasted, self._app, self._door, int(self._now))
        request = pasted.request
        return Opinion(
            kind="request",
            about=f"{request.method} {pasted.base_url}{request.path}",
            diagnosis=diagnosis,
            noticed=(*pasted.notes, *self._another_app(request, diagnosis)),
            left=tuple(self._left(pasted)) if diagnosis.valid and not self._failure else (),
            corrected=corrected.command,
            not_corrected=corrected.why_not,
            goes_to=corrected.goes_to,
        )

    def _filled_in(self, pasted: PastedRequest) -> PastedRequest:
        """A request with the app's own key and id, where the text has placeholders for them."""
        app, request = self._app, pasted.request
        taken = [value for value in request.values("auth_key") if PLACEHOLDERS.fullmatch(value)]
        named = app_in(request.path)
        if not (app.key and taken):
            return pasted
        params = [
            (name, app.key if name == "auth_key" and value in taken else value)
            for name, value in request.params
        ]
        path = request.path
        if app.app_id and PLACEHOLDERS.fullmatch(unquote(named)):
            path = path.replace(f"/apps/{named}/", f"/apps/{app.app_id}/", 1)
        return replace(
            pasted,
            request=Request(request.method, path, params, request.body),
            notes=(*pasted.notes, FILLED_IN),
        )

    def _diagnosis(self, pasted: PastedRequest, credentials: Credentials) -> Diagnosis:
        request = pasted.request
        verdict = judge(credentials, request, now=_time_to_judge(pasted, self._now))
        if not pasted.has_body:
            verdict = _without_body(verdict)
        quoted = quoted_string(pasted.response or self._said)
        paths = [quoted.lines[1]] if quoted and quoted.whole else []
        return explain(credentials, request, verdict, paths=paths, go_on=self._go_on)

    def _another_app(self, request: Request, diagnosis: Diagnosis) -> Iterator[str]:
        named, known = app_in(request.path), self._app.app_id
        told = diagnosis.findings or self._door.holds(request.path)
        if known and named != known and re.fullmatch(r"[\w.-]{1,60}", named) and not told:
            yield (
                f"The path names the app {named}, and the app that is known here is {known}. A "
                "server refuses the key of one app in the path of another."
            )

    def _left(self, pasted: PastedRequest) -> Iterator[str]:
        """What can still be wrong with a request that is signed right."""
        if not pasted.has_body and pasted.request.values("body_md5"):
            yield (
                "The text doesn't hold the body, so nothing is said of whether body_md5 fits it. "
                "Hash exactly what you send."
            )
        yield from what_is_left(
            pasted.request,
            base_url=pasted.base_url,
            now=self._now,
            refusal=pasted.response or self._said,
        )

    def _subscription(self, pasted: PastedSubscription) -> Opinion:
        key, colon, _ = pasted.auth.rpartition(":")
        app = self._app
        if colon and not app.key and key != app.secret:
            app = replace(app, key=key)
        credentials = _credentials(app)
        diagnosis = diagnose_subscription(
            credentials,
            socket_id=pasted.socket_id,
            channel=pasted.channel,
            auth=pasted.auth,
            channel_data=pasted.channel_data,
            user_data=pasted.user_data,
            go_on=self._go_on,
        )
        if not app.key:
            diagnosis = self._without_a_key(diagnosis)
        what = "sign-in" if pasted.user_data is not None else "subscription"
        right = _authorized(credentials, pasted) if app.key and not diagnosis.valid else ""
        lacking = pasted.channel.startswith("presence-") and pasted.channel_data is None
        return Opinion(
            kind="subscription",
            about=f"{what} to {pasted.channel}" if pasted.channel else what,
            diagnosis=diagnosis,
            corrected="" if lacking else right,
            not_corrected="channel_data is signed too, and isn't in the text." if lacking else "",
        )

    def _without_a_key(self, diagnosis: Diagnosis) -> Diagnosis:
        """Without the claim that an auth begins with another key, where ours isn't known."""
        if self._app.key:
            return diagnosis
        findings = [
            replace(
                finding,
                mistakes=tuple(each for each in finding.mistakes if each.name != ANOTHER_KEY),
            )
            for finding in diagnosis.findings
        ]
        return replace(diagnosis, findings=tuple(each for each in findings if each.mistakes))

    def _webhook(self, pasted: PastedWebhook) -> Opinion:
        app = self._app
        if not app.key and pasted.key != app.secret:
            app = replace(app, key=pasted.key)
        diagnosis = diagnose_webhook(
            _credentials(app),
            key=pasted.key,
            signature=pasted.signature,
            body=pasted.body,
            go_on=self._go_on,
        )
        return Opinion(kind="webhook", about="webhook", diagnosis=diagnosis)


_SLASHES = re.compile(r"^//+apps/|/apps/.*//")
SLASHES_SIGNED = (
    "The path has two slashes in a row (//). It's signed as it was sent, but a server has no such "
    "path, and answers 404 or refuses. Join host and path with a single slash, then sign."
)


def _authorized(credentials: Credentials, pasted: PastedSubscription) -> str:
    """The right auth, as a line; "" where the text doesn't hold all that is signed."""
    with suppress(InvalidEvent):
        if pasted.user_data is not None:
            right = authenticate_user(credentials, pasted.socket_id, pasted.user_data)["auth"]
        else:
            right = channel_auth(credentials, pasted.socket_id, pasted.channel, pasted.channel_data)
        return f"auth: {right}"
    return ""


ANOTHER_KEY = "another-key"  # the mistake's name, in subscription_mistakes.py
UNKNOWN = "unknown"  # in place of an app id or an app key that nothing names; never printed


def _credentials(app: App, base_url: str = "") -> Credentials:
    return Credentials(
        app_id=app.app_id or UNKNOWN,
        key=app.key or UNKNOWN,
        secret=app.secret,
        base_url=base_url or "http://127.0.0.1",
    )


def _credentials_for(request: Request, app: App, base_url: str = "") -> Credentials:
    """The app that is known, or else the one that the request names, with the secret."""
    (*_, sent_key) = ["", *map(without_quotes, request.values("auth_key"))]
    named = app_in(request.path)
    named = named if re.fullmatch(r"[\w.-]++", named) else ""
    key = app.key or (sent_key if sent_key != app.secret else "")
    return _credentials(replace(app, app_id=app.app_id or named, key=key), base_url)


FILLED_IN = (
    "auth_key is a placeholder. If you took the key out before you showed the text, all is well: "
    "it's read with the app's own. If it was sent like this, put in the key that the app's "
    "settings show."
)


def _quoting(said: str, quoted: QuotedString, app: App) -> str:
    """A refusal with the app's own key and id, where its text has placeholders for them."""
    key = _as_request(quoted).values("auth_key")
    if not (app.key and key and PLACEHOLDERS.fullmatch(key[0])):
        return said
    said = said.replace(f"auth_key={key[0]}", f"auth_key={app.key}")
    named = app_in(quoted.lines[1])
    if app.app_id and PLACEHOLDERS.fullmatch(named):
        said = said.replace(f"/apps/{named}/", f"/apps/{app.app_id}/")
    return said


def _as_request(quoted: QuotedString) -> Request:
    """The request whose canonical string a server quotes, as far as it names the app."""
    method, path, query = quoted.lines
    return Request(method, path, [pair.partition("=")[::2] for pair in query.split("&")])


def _without_body(verdict: Verdict) -> Verdict:
    """A verdict that says nothing of the body, because the text couldn't hold it."""
    checks = tuple(
        replace(check, passed=True, error="", fix="") if check.rule == "body_md5" else check
        for check in verdict.checks
    )
    return replace(verdict, checks=checks)


def _time_to_judge(pasted: PastedRequest, now: float) -> float:
    """The server's clock when the request came, as well as the text tells it.

    An answer that was pasted with it says when that was. Else the request's own time counts, as it
    is an old one; but not where it can't be right: before any such API existed, or still to come.
    """
    if answered := _DATE.search(pasted.response):
        try:
            return parsedate_to_datetime(answered[1].strip()).timestamp()
        except (ValueError, TypeError, OverflowError):
            pass  # not a date
    (*_, sent) = ["", *pasted.request.values("auth_timestamp")]
    if not re.fullmatch(r"[0-9]{1,15}", sent):
        return now
    own = int(sent) / 1000 if len(sent) >= MILLISECOND_DIGITS else int(sent)
    return own if FIRST_TIMESTAMP <= own <= now + TOLERANCE_SECONDS else now


_DATE = re.compile(r"^[<\s]{0,4}date:([^\r\n]{1,60})$", flags=re.IGNORECASE | re.MULTILINE)


# --- the same request, signed right ---------------------------------------------------------------

_FORM = re.compile(rb"[^\s\"'{}<>=]{1,1000}=|%7[Bb]")  # a form's beginning, and no JSON's
_URL_IN_PATH = re.compile(r"/(https?:)/{1,2}([^/]++)(/.*+)", flags=re.DOTALL)  # a CORS proxy's


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A request as a curl command, signed right, and its host; or why there is none."""

    command: str = ""
    goes_to: str = ""
    why_not: str = ""


def _corrected(
    credentials: Credentials, pasted: PastedRequest, app: App, door: Door, now: int
) -> Corrected:
    request, base_url, path = pasted.request, pasted.base_url, pasted.request.path
    if through := _URL_IN_PATH.fullmatch(path):
        base_url, path = f"{through[1]}//{through[2]}", through[3]
    path = _repaired(path, app)
    if "/apps/" not in path:
        return Corrected(why_not="its path isn't one of this API's.")
    if not base_url:
        why = "the text names no host. Add a Host header, or paste the whole URL."
        return Corrected(why_not=why)
    if credentials.key == UNKNOWN:
        why = "the app key isn't known. Set PUSHER_KEY, or add auth_key=… to the URL."
        return Corrected(why_not=why)
    if not pasted.has_body and (request.values("body_md5") or request.method != "GET"):
        return Corrected(why_not="the text doesn't hold the body that has to be sent.")
    if request.method == "POST" and _FORM.match(request.body):
        return Corrected(why_not="the body isn't JSON. Send the event as JSON, then sign that.")
    # The path as it came: a repair may have cut a secret in it in two.
    parts = [request.method, base_url, request.path, request.body.decode(errors="replace")]
    if any(map(door.holds, [*parts, *sum(request.params, ())])):
        return Corrected(why_not="the request holds the secret, or most of it.")
    signature = sign(credentials, request.method, path, request.params, request.body, timestamp=now)
    try:
        command = curl(base_url, Request(request.method, path, signature.query, request.body))
    except ValueError as error:
        return Corrected(why_not=str(error))
    if door.holds(command) or not command.replace("\n", "").isprintable():
        # Hidden or escaped, it would send other bytes than those that are signed.
        return Corrected(why_not="the request holds characters that a terminal cannot show.")
    return Corrected(command=command, goes_to=base_url)


def _repaired(path: str, app: App) -> str:
    """The path without doubled slashes, and with the app's own id where that is known."""
    path = re.sub("/{2,}", "/", path)
    path = re.sub(r"(/apps/[^/]+/(?:events|batch_events|channels))/$", r"\1", path)
    named = app_in(path)
    if app.app_id and named and named != app.app_id:
        return path.replace(f"/apps/{named}", f"/apps/{app.app_id}", 1)
    return path


# --- no secret gets out ---------------------------------------------------------------------------


def _hidden(report: Report, door: Door) -> Report:
    """The report with every text through the door; a corrected request went through it already."""
    opinions = tuple(
        replace(
            each,
            about=door.hide(each.about),
            noticed=tuple(map(door.hide, each.noticed)),
            diagnosis=_hidden_diagnosis(each.diagnosis, door),
        )
        for each in report.opinions
    )
    return replace(report, read_as=door.hide(report.read_as), opinions=opinions)


def _hidden_diagnosis(diagnosis: Diagnosis, door: Door) -> Diagnosis:
    findings = tuple(
        replace(
            finding,
            canonical_string=door.hide(finding.canonical_string),
            reproduced=door.hide(finding.reproduced),
        )
        for finding in diagnosis.findings
    )
    return replace(diagnosis, findings=findings, notes=tuple(map(door.hide, diagnosis.notes)))
