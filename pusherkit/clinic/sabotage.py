"""Sabotage: a queue of broken requests, and you name the cause of each. Pure, and seeded.

A seed makes the same queue on every machine and in every Python, so a class works on one queue, and
its trainer has the answers (`sheet()`). The faults come from the doctor's own table: single ones
first, some of them in small programs; then two at once; then a subscription, and a webhook.

A case is fair if the practice server refuses it, if the doctor names exactly this cause for what is
shown, and if none of the other answers on offer explains it. `queue()` offers nothing else, and
`check()` looks at that once more, from the outside.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product
from urllib.parse import urlencode

from pusherkit.clinic.faults import (
    Sent,
    Subscription,
    Webhook,
    delivered_with,
    rows_of_requests,
    rows_of_subscriptions,
    rows_of_webhooks,
    sent_with,
    subscribed_with,
)
from pusherkit.clinic.programs import EDITS
from pusherkit.clinic.scenes import (
    APP,
    CLINIC_URL,
    SCENES,
    SECONDS_BETWEEN,
    SHIFT_TIMESTAMP,
    SUBSCRIPTIONS,
    WEBHOOKS,
    Chance,
)
from pusherkit.doctor.consult import App, consult
from pusherkit.doctor.mistakes import IN_REQUESTS, TABLE, Mistake, Row
from pusherkit.doctor.search import Finding
from pusherkit.doctor.webhooks import diagnose_webhook
from pusherkit.errors import PusherError
from pusherkit.sandbox.api import RawRequest, Reply, Sandbox
from pusherkit.signing import Request
from pusherkit.snippets import curl

OFFERED = 4  # answers to choose from
MAX_SEED = 10**9  # ours, so that a seed can be read out
MAX_SEED_DIGITS = len(str(MAX_SEED))
MAX_SEEDS = 10_000  # in one range; ours


def read_seeds(text: str) -> range:
    """The seeds of "7", or of "1..200". Raises PusherError, with a sentence, for anything else."""
    found = re.fullmatch(r"([0-9]++)(?:\.\.([0-9]++))?", text)
    if found is None:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise PusherError(
            f"expected a whole number, such as 7, or a range, such as 1..200; got {shown!r}."
        )
    digits = [found[1], found[2] or found[1]]
    # Counted first: Python refuses to read thousands of them.
    if any(len(each) > MAX_SEED_DIGITS or int(each) > MAX_SEED for each in digits):
        raise PusherError(f"expected a number up to {MAX_SEED:,}.")
    first, last = map(int, digits)
    if not 0 <= last - first < MAX_SEEDS:
        raise PusherError(
            f"expected a range that goes up, of at most {MAX_SEEDS:,} seeds; got {text}."
        )
    return range(first, last + 1)


# --- a case -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer on offer: the mistakes that it names, and what they would have made."""

    mistakes: tuple[Mistake, ...]
    made: tuple[str, ...]
    """What these mistakes give, in the order of Case.came; one way to make them."""
    ways: int = 1
    """How many ways there are."""

    @property
    def name(self) -> str:
        """The names of its mistakes."""
        return " + ".join(mistake.name for mistake in self.mistakes)

    @property
    def names(self) -> frozenset[str]:
        """The same, to be compared."""
        return frozenset(mistake.name for mistake in self.mistakes)

    @property
    def why(self) -> str:
        """What its mistakes are, a sentence each."""
        return " ".join(mistake.why for mistake in self.mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One broken thing, as somebody brings it, and the answers to choose from."""

    number: int
    kind: str
    """"request", "subscription" or "webhook"."""
    form: str
    """"curl", "frames", or the language of a program."""
    story: str
    shown: str
    """The command, the program or the frames."""
    said: str
    """The refusal."""
    log: str
    """What was signed, as its signer noted it down; "" if a program shows it, or nobody did."""
    came: tuple[tuple[str, str], ...]
    """What was sent that gives the mistake away: name and value. The signature is the last."""
    options: tuple[Answer, ...]
    right: int
    """Which of the options it is, from 0."""
    findings: tuple[Finding, ...]
    """The doctor's, the right one first. Where more than one fits, the others aren't on offer."""

    @property
    def answer(self) -> Answer:
        """The right one."""
        return self.options[self.right]

    def objection(self, chosen: int) -> tuple[str, str, str]:
        """What speaks against a wrong option (from 0): a name, what it would be, and what came."""
        return next(
            (name, made, came)
            for (name, came), made in zip(self.came, self.options[chosen].made, strict=True)
            if made != came
        )

    def half_right(self, chosen: int) -> frozenset[str]:
        """The mistakes of a wrong option that were made."""
        return self.options[chosen].names & self.answer.names


# --- the queue --------------------------------------------------------------------------------


PLAN = ("request", "program", "request", "program", "two", "two", "subscription", "webhook")
"""What the cases of a queue are."""


def queue(seed: int) -> tuple[Case, ...]:
    """The cases of a seed, the easy ones first. Takes about a quarter of a second."""
    return tuple(calls(seed))


def calls(seed: int) -> Iterator[Case]:
    """The same, one after the other, for a reader who needs the first before the last."""
    chance = Chance(seed)
    used: set[str] = set()
    for number, what in enumerate(PLAN, start=1):
        now = SHIFT_TIMESTAMP + number * SECONDS_BETWEEN
        case = next(
            case
            for attempt in _ATTEMPTS[what](chance, now)
            if attempt and not attempt.names & used and (case := _case(chance, number, attempt))
        )
        used |= case.answer.names
        yield case


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Something broken, and what the practice server and the doctor say of it."""

    kind: str
    form: str
    story: str
    shown: str
    said: str
    log: str
    came: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    """() where it isn't refused."""
    rivals: Callable[[], Iterator[Answer]]
    """Other answers that could be given for the like of it, the most plausible ones first."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(mistake.name for mistake, _ in self.rows)


def _case(chance: Chance, number: int, attempt: _Attempt) -> Case | None:
    """The case, if it's fair: the doctor names it, and nothing else on offer fits."""
    right = _answer(attempt.rows, _values(attempt.came))
    fitting = [frozenset(each.name for each in found.mistakes) for found in attempt.findings]
    if right.names not in fitting:
        return None
    options: dict[frozenset[str], Answer] = {right.names: right}
    of_another_form: dict[frozenset[str], Answer] = {}
    for rival in attempt.rivals():
        if rival.names not in fitting and rival.made != right.made:
            # One that nobody would take for it, by its length alone, is the last choice.
            where = options if _form(rival) == _form(right) else of_another_form
            where.setdefault(rival.names, rival)
        if len(options) == OFFERED:
            break
    spare = (rival for names, rival in of_another_form.items() if names not in options)
    options |= {rival.names: rival for rival in islice(spare, OFFERED - len(options))}
    mixed = chance.shuffled(options.values())
    named = sorted(range(len(fitting)), key=lambda at: fitting[at] != right.names)
    return Case(
        number=number,
        kind=attempt.kind,
        form=attempt.form,
        story=attempt.story,
        shown=attempt.shown,
        said=attempt.said,
        log=attempt.log,
        came=attempt.came,
        options=tuple(mixed),
        right=mixed.index(right),
        findings=tuple(attempt.findings[at] for at in named),
    )


def _form(answer: Answer) -> list[int]:
    return [len(value) for value in answer.made]


def _values(came: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(value for _, value in came)


def _answer(rows: Iterable[Row], made: tuple[str, ...], ways: int = 1) -> Answer:
    """An answer, its mistakes in the order of signing."""
    axes = list(TABLE)
    mistakes = [mistake for mistake, _ in rows]
    if len(mistakes) > 1:
        mistakes.sort(key=lambda each: axes.index(each.axis))
    return Answer(tuple(mistakes), made, ways)


# Attempts go on for ever: each is something broken, or None where a mistake can't be made.


def _singles(chance: Chance, now: int) -> Iterator[_Attempt | None]:
    rows = rows_of_requests()
    while True:
        row = chance.choice(rows)
        for story, scene in chance.shuffled(SCENES):
            yield _requested(chance, now, story, scene(chance), (row,))


def _pairs(chance: Chance, now: int) -> Iterator[_Attempt | None]:
    rows = rows_of_requests((TABLE, IN_REQUESTS))
    while True:
        one, other = chance.choice(rows), chance.choice(rows)
        story, scene = chance.choice(SCENES)
        if one[0].axis != other[0].axis:
            yield _requested(chance, now, story, scene(chance), (one, other))


def _programs(chance: Chance, now: int) -> Iterator[_Attempt | None]:
    rows = {mistake.name: (mistake, make) for mistake, make in rows_of_requests()}
    while True:
        edit = chance.choice(EDITS)
        for story, scene in chance.shuffled(SCENES):
            request = scene(chance)
            with suppress(ValueError):  # nothing to change in this one
                program = edit.applied(CLINIC_URL, APP.key, request)
                row = rows[edit.mistake]
                attempt = _requested(chance, now, story, request, (row,), ways=1)
                yield attempt and replace(attempt, form=edit.language, shown=program, log="")


def _requested(
    chance: Chance,
    now: int,
    story: str,
    request: Request,
    rows: tuple[Row, ...],
    *,
    ways: int | None = None,
) -> _Attempt | None:
    """A request with these mistakes; None where they can't be made, or no command can hold it.

    `ways` is how many ways of making them may be taken, the commonest first; None for any.
    """
    made = sent_with(APP, request, _by_axis(rows), timestamp=now)[:ways]
    if not made:
        return None
    sent = chance.choice(made)
    try:
        shown = curl(APP.base_url, sent.request)
    except ValueError:
        return None
    said, findings = _refused(sent.request, now)
    return _Attempt(
        kind="request",
        form="curl",
        story=story,
        shown=shown,
        said=said,
        log=sent.signed,
        came=_given_away(sent),
        rows=rows,
        findings=findings,
        rivals=partial(_rivals, chance, request, rows, now),
    )


def _by_axis(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {mistake.axis: (mistake, make) for mistake, make in rows}


def _given_away(sent: Sent) -> tuple[tuple[str, str], ...]:
    (digest, *_) = [*sent.request.values("body_md5"), "missing"]
    (signature,) = sent.request.values("auth_signature")
    return ("body_md5", digest), ("auth_signature", signature)


def _refused(request: Request, now: int) -> tuple[str, tuple[Finding, ...]]:
    """The practice server's refusal, and the doctor's findings; neither where it isn't a 401."""
    sandbox = Sandbox(APP)
    target = f"{request.path}?{urlencode(request.params)}".encode()
    raw = RawRequest(method=request.method, target=target, body=request.body)
    judged = sandbox.judge(raw, now=now)
    if isinstance(judged, Reply):
        return "", ()
    explanation = sandbox.explain(judged)
    reply = sandbox.refuse(judged, explanation)
    error, *_ = reply.note.split("\n")
    return f"{reply.status} {error}", explanation.findings


def _rivals(chance: Chance, request: Request, rows: tuple[Row, ...], now: int) -> Iterator[Answer]:
    """Other mistakes of the same number that could have been made with this request."""
    chosen: list[tuple[Row, ...]]
    others = [row for row in chance.shuffled(rows_of_requests()) if row not in rows]
    if len(rows) == 1:
        ((mistake, _),) = rows
        near = [row for row in others if row[0].axis == mistake.axis]
        far = [row for row in others if row not in near]
        if mistake.axis == "digest":  # the refusal names body_md5, so it's nothing else
            far = []
        chosen = [(row,) for row in (*near[:2], *far, *near[2:], *others)]
    else:
        one, other = rows
        ones = [row for row in others if row[0].axis == one[0].axis]
        rest = [row for row in others if row[0].axis == other[0].axis]
        half = [(one, row) for row in rest[:4]] + [(row, other) for row in ones[:4]]
        chosen = [*chance.shuffled(half), *product(ones, rest)]
    for each in chosen:
        if made := sent_with(APP, request, _by_axis(each), timestamp=now):
            yield _answer(each, _values(_given_away(made[0])), len(made))


def _subscriptions(chance: Chance, now: int) -> Iterator[_Attempt | None]:
    rows = rows_of_subscriptions()
    while True:
        row = chance.choice(rows)
        for story, scene in chance.shuffled(SUBSCRIPTIONS):
            wanted = scene(chance)
            made = subscribed_with(APP, wanted, row)
            rivals = partial(_alike, chance, row, rows, partial(_auths, wanted))
            yield _subscribed(story, chance.choice(made), now, row, rivals) if made else None


def _subscribed(
    story: str,
    sent: Subscription,
    now: int,
    row: Row,
    rivals: Callable[[], Iterator[Answer]],
) -> _Attempt:
    said, findings = _turned_away(sent, now)
    socket = {"socket_id": sent.socket_id, "activity_timeout": 120}
    connected = {"event": "pusher:connection_established", "data": json.dumps(socket)}
    return _Attempt(
        kind="subscription",
        form="frames",
        story=story,
        shown=f"{json.dumps(connected)}\n{sent.frame}",
        said=said,
        log=sent.signed,
        came=(("auth", sent.auth),),
        rows=(row,),
        findings=findings,
        rivals=rivals,
    )


def _auths(wanted: Subscription, row: Row) -> list[tuple[str, ...]]:
    return [(made.auth,) for made in subscribed_with(APP, wanted, row)]


def _turned_away(sent: Subscription, now: int) -> tuple[str, tuple[Finding, ...]]:
    """What the practice server says to a subscription, and the doctor; nothing if it's let in."""
    sandbox = Sandbox(APP, socket_ids=iter([sent.socket_id]))
    connection = sandbox.channels.open(
        lambda frame: None, lambda code, reason: None, key=APP.key, protocol="7", now=now
    )
    assert connection is not None  # noqa: S101 - it's the server's own key
    sandbox.channels.receive(connection, sent.frame, now=now)
    for entry in sandbox.refused_subscriptions:
        return entry.error, entry.diagnosis.findings
    return "", ()


def _webhooks(chance: Chance, now: int) -> Iterator[_Attempt | None]:
    rows = rows_of_webhooks()
    while True:
        row = chance.choice(rows)
        for story, scene in chance.shuffled(WEBHOOKS):
            wanted = scene(chance)
            made = delivered_with(APP, wanted, row)
            rivals = partial(_alike, chance, row, rows, partial(_signatures, wanted))
            yield _delivered(story, chance.choice(made), row, rivals) if made else None


def _delivered(
    story: str, hook: Webhook, row: Row, rivals: Callable[[], Iterator[Answer]]
) -> _Attempt:
    diagnosis = diagnose_webhook(APP, key=hook.key, signature=hook.signature, body=hook.body)
    return _Attempt(
        kind="webhook",
        form="curl",
        story=story,
        shown=" \\\n  ".join(
            [
                "curl -X POST http://127.0.0.1:5000/webhooks",
                "-H 'Content-Type: application/json'",
                f"-H {shlex.quote(f'X-Pusher-Key: {hook.key}')}",
                f"-H {shlex.quote(f'X-Pusher-Signature: {hook.signature}')}",
                f"--data-binary {shlex.quote(hook.body.decode())}",
            ]
        ),
        said="401 X-Pusher-Signature: expected the HMAC SHA256 hex digest of the "
        f"{len(hook.body)} bytes of the body, got {hook.signature!r}.",
        log="",
        came=(("X-Pusher-Signature", hook.signature),),
        rows=(row,),
        findings=diagnosis.findings,
        rivals=rivals,
    )


def _signatures(wanted: Webhook, row: Row) -> list[tuple[str, ...]]:
    return [(made.signature,) for made in delivered_with(APP, wanted, row)]


def _alike(
    chance: Chance,
    row: Row,
    rows: list[Row],
    make: Callable[[Row], list[tuple[str, ...]]],
) -> Iterator[Answer]:
    """The other mistakes that can be made, those of the same axis first."""
    others = [other for other in chance.shuffled(rows) if other != row]
    for other in sorted(others, key=lambda other: other[0].axis != row[0].axis):
        if made := make(other):
            yield _answer([other], made[0], len(made))


_ATTEMPTS: dict[str, Callable[[Chance, int], Iterator[_Attempt | None]]] = {
    "request": _singles,
    "program": _programs,
    "two": _pairs,
    "subscription": _subscriptions,
    "webhook": _webhooks,
}


# --- the check --------------------------------------------------------------------------------


def check(seed: int) -> list[str]:
    """What isn't solvable or fair in a seed's queue, a sentence each; [] as it should be.

    It trusts nothing that the queue says of itself: the doctor reads what is shown, as anybody
    could paste it. A program isn't run here; the tests run each.
    """
    problems = []
    for case in queue(seed):
        where = f"seed {seed}, case {case.number} ({case.answer.name})"
        problems += [f"{where}: {problem}" for problem in _problems(case)]
    return problems


def _problems(case: Case) -> Iterator[str]:
    names = [option.names for option in case.options]
    if len(set(names)) != OFFERED:
        yield f"there are {len(set(names))} different answers, but there should be {OFFERED}."
    fitting = [frozenset(each.name for each in found.mistakes) for found in case.findings]
    if case.form not in ("curl", "frames"):
        rivals = [option for option in case.options if option.made == case.answer.made]
        if len(rivals) != 1:
            yield "another answer gives the same result."
    else:
        report = consult(case.shown, App.of(APP), now=SHIFT_TIMESTAMP)
        (opinion,) = report.opinions
        if opinion.diagnosis.valid:
            yield "it's signed correctly, so there's nothing to find."
        fitting = [
            frozenset(each.name for each in found.mistakes) for found in opinion.diagnosis.findings
        ]
    if case.answer.names not in fitting:
        yield f"the doctor names {[sorted(each) for each in fitting]}."
    yield from (
        f"{option.name} is on offer, and fits as well."
        for option in case.options
        if option is not case.answer and option.names in fitting
    )
