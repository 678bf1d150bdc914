"""The clinic's practice server: a Sandbox that keeps what it saw of each goal. Pure.

It answers as every practice server does. Beside that it has pages of its own under /clinic, which
need no signature, answers 429 where the capstone wants it, and hands each answered request to the
capstone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pusherkit.clinic import page, tasks, tasks_page
from pusherkit.clinic.capstone import (
    CLINIC_CREDENTIALS,
    PRIVATE_CHANNEL,
    VECTORS,
    Arrival,
    State,
    arrived,
    broken,
    fingerprint,
    handed_in,
    joined,
    look_into,
    missing,
    mixed_up,
    must_wait,
    one_line,
    socket_id,
)
from pusherkit.credentials import Credentials
from pusherkit.doctor.search import ANOTHER_APP, Diagnosis
from pusherkit.sandbox.api import (
    PRACTICE_CREDENTIALS,
    Explanation,
    RawRequest,
    Refusal,
    Reply,
    Sandbox,
    Unauthorized,
    read_target,
)
from pusherkit.sandbox.channels import UnauthorizedSubscription
from pusherkit.sandbox.keys import Named
from pusherkit.signing import Request, canonical_string, hmac_sha256

RATE = 50.0  # requests per second that are accepted; a program that does its tasks sends a few
TEXT = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))
JSON = (("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store"))
HTML = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    # A page has a style, and nothing else.
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
)
MAX_CAUSES = 2  # explanations of one signature that are told
UNKNOWN_AUTH = (
    "It should be the signature of {}, and no known mistake with that text gives what came. Was it "
    "made for another connection or channel, or with another secret?"
)


class Clinic(Sandbox):
    """One learner's clinic, with the `options` of every Sandbox.

    `changed` is called with each new state, on the thread that made it. Where `rate` is None it's
    RATE, because a program may go wild.
    """

    def __init__(
        self,
        credentials: Credentials = CLINIC_CREDENTIALS,
        *,
        state: State,
        rate: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(credentials, rate=rate or RATE, **options)
        self.state = state
        self.url = credentials.base_url
        """Where it is, as its pages say it."""
        self.changed: Callable[[State], object] = lambda state: None
        self._asked = 0.0  # seconds: the wait that the request at hand was asked for

    def judge(self, raw: RawRequest, *, now: float) -> Reply | Unauthorized:
        if (own := self._own_page(raw)) is not None:
            return own
        self._asked = 0.0
        judged = super().judge(raw, now=now)
        if isinstance(judged, Reply):
            said = "" if judged.status < 400 else _spoken(judged.note)
            self._arrived(raw, now, judged.status, said)
        return judged

    def admit(self, request: Request, named: Named, *, now: float) -> None:
        super().admit(request, named, now=now)
        if wait := must_wait(self.state, request, now=now):
            self._asked = wait
            raise Refusal(
                429,
                f"Too many requests: come back in {wait:g} s.",
                fix="Wait as long as Retry-After says, then sign the request again and send it.",
                headers=(("Retry-After", str(math.ceil(wait))),),
                retry_after=wait,
            )

    def refuse(self, refused: Unauthorized, explanation: Explanation) -> Reply:
        reply = super().refuse(refused, explanation)
        said, mistakes = self._doctors_words(refused, explanation)
        self._take(
            Arrival(
                time=refused.time,
                request=refused.request,
                status=reply.status,
                said=said,
                mistakes=mistakes,
            )
        )
        return reply

    def turn_away(self, raw: RawRequest, refusal: Refusal, *, now: float) -> Reply:
        reply = super().turn_away(raw, refusal, now=now)
        self._keep(replace(self.state, latest=one_line(_spoken(reply.note))))
        return reply

    def log_subscription(self, refused: UnauthorizedSubscription, diagnosis: Diagnosis) -> None:
        super().log_subscription(refused, diagnosis)
        if refused.channel.startswith("private-") and not self.state.met("private"):
            causes = [mistake for found in diagnosis.findings for mistake in found.mistakes]
            said = " ".join(f"{mistake.why} {mistake.fix}" for mistake in causes[:MAX_CAUSES])
            unknown = UNKNOWN_AUTH.format(f"{refused.socket_id}:{refused.channel}")
            unexplained = unknown if diagnosis.unexplained else ""
            notes = " ".join([*diagnosis.notes, unexplained]).strip()
            names = tuple(mistake.name for mistake in causes)
            self._keep(missing(self.state, "private", said or notes or refused.error, names))

    # --- what came ------------------------------------------------------------------------------

    def _arrived(self, raw: RawRequest, now: float, status: int, said: str) -> None:
        try:
            path, params = read_target(raw.target)
        except Refusal:
            path, params = "", ()
        request = Request(raw.method, path, params, raw.body)
        self._take(
            Arrival(time=now, request=request, status=status, said=said, asked_to_wait=self._asked)
        )

    def _take(self, arrival: Arrival) -> None:
        state = arrived(self.state, self.credentials, arrival)
        for channel in self._occupied(state):
            state = joined(state, self.credentials.hide(channel), now=arrival.time)
        self._keep(state)
        auth = handed_in(look_into(arrival.request))
        if auth is None or arrival.status >= 400 or state.met("private"):
            return
        if not mixed_up(state, self.credentials, auth):
            # What is wrong with it is searched for as for every refused subscription, in its turn.
            self.explain_later(
                UnauthorizedSubscription(
                    time=arrival.time,
                    socket_id=socket_id(state),
                    code=None,
                    error=state.mark("private").said,
                    channel=PRIVATE_CHANNEL,
                    auth=auth,
                    channel_data=None,
                    user_data=None,
                    credentials=self.credentials,
                )
            )

    def _occupied(self, state: State) -> list[str]:
        """A private channel that a real subscriber was let into, as long as that is news."""
        return [] if state.met("private") else self.channels.occupied("private-")[:1]

    def _keep(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.changed(state)

    def _doctors_words(
        self, refused: Unauthorized, explanation: Explanation
    ) -> tuple[str, tuple[str, ...]]:
        """Why a request was refused and what to do, and the names of the mistakes."""
        failed = refused.verdict.failed
        if explanation.findings:
            each = [
                " ".join(f"{mistake.why} {mistake.fix}" for mistake in found.mistakes)
                for found in explanation.findings[:MAX_CAUSES]
            ]
            names = [m.name for found in explanation.findings for m in found.mistakes]
            return " Or: ".join(each), tuple(names)
        if self._of_the_other_server(refused.request):
            said = (
                "It was signed with the secret of `pusherkit sandbox`. Take the settings that the "
                "clinic printed."
            )
            return said, (ANOTHER_APP.name,)
        if failed is None:  # refused, so one failed
            raise AssertionError(refused)
        if failed.rule != "auth_signature" or failed.received == "(missing)":
            return f"{failed.error.rstrip('.')}. {failed.fix}", ()
        unknown = "The signature is wrong, and no known mistake explains it. Right secret?"
        return f"{unknown} {explanation.unfinished or failed.fix}", ()

    def _of_the_other_server(self, request: Request) -> bool:
        text = canonical_string(request.method, request.path, request.params)
        return hmac_sha256(PRACTICE_CREDENTIALS.secret, text) in request.values("auth_signature")

    # --- its own pages --------------------------------------------------------------------------

    def _own_page(self, raw: RawRequest) -> Reply | None:
        """The answer to a GET under /clinic; None if it's another request."""
        path = raw.target.partition(b"?")[0]
        if raw.method not in ("GET", "HEAD") or path.split(b"/")[1:2] not in _PLACES:
            return None
        state, app = self.state, self.credentials

        def sent() -> str:
            return broken(state, app).values("auth_signature")[0]

        pages: dict[bytes, tuple[Callable[[], str], tuple[tuple[str, str], ...]]] = {
            b"/clinic": (lambda: tasks.as_text(state, app, self.url), TEXT),
            b"/clinic.html": (lambda: tasks_page.as_html(state, app, self.url), HTML),
            b"/clinic.json": (lambda: json.dumps(tasks.as_json(state, app), indent=1), JSON),
            b"/clinic/page": (lambda: page.as_html(state), HTML),
            b"/clinic/results": (lambda: tasks.results(state), TEXT),
            b"/clinic/socket_id": (lambda: socket_id(state), TEXT),
            b"/clinic/broken/canonical_string": (lambda: tasks.text_of(broken(state, app)), TEXT),
            b"/clinic/broken/auth_signature": (sent, TEXT),
        }
        for number, vector in enumerate(VECTORS, start=1):
            if path == b"/clinic/vectors/%d" % number:
                return Reply(status=200, body=vector.body, headers=TEXT)
        if path == b"/clinic/fingerprint" and (made := fingerprint(state)):
            return Reply(status=200, body=made.encode(), headers=TEXT)
        if path == b"/clinic/fingerprint":
            return _not_yet(state)
        if path not in pages:
            names = ", ".join(sorted(name.decode() for name in [*pages, b"/clinic/fingerprint"]))
            fields = {"error": f"There's no such page. These exist: {names}."}
            return Reply(status=404, body=json.dumps(fields).encode(), headers=JSON)
        make, headers = pages[path]
        return Reply(status=200, body=make().encode(), headers=headers)


_PLACES = ([b"clinic"], [b"clinic.html"], [b"clinic.json"])


def _not_yet(state: State) -> Reply:
    titles = "; ".join(goal.title for goal in state.open if goal.id != "report")
    fields = {"error": f"There's no fingerprint yet. Still open: {titles}."}
    return Reply(status=409, body=json.dumps(fields).encode(), headers=JSON)


def _spoken(note: str) -> str:
    """A reply's note as one paragraph."""
    return " ".join(
        line if line.endswith((".", "!", "?", "]")) else f"{line}."
        for line in note.split("\n")
        if line
    )
