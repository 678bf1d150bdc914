"""Which mistake is behind a refused subscription or user sign-in? Found with proof. Pure.

`diagnose_subscription()` makes the auth again under each mistake that subscription_mistakes.py
knows, and under each two of them, and names those that give exactly what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, product
from types import EllipsisType
from typing import Any

from pusherkit.authorization import read_user_data, verify_channel, verify_user
from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Mistake
from pusherkit.doctor.search import Diagnosis, Finding
from pusherkit.doctor.signed_texts import (
    NOT_SHOWN,
    SIGNATURE,
    StoppedEarly,
    Text,
    made_wrong,
    signed_with,
)
from pusherkit.doctor.subscription_mistakes import (
    SIGNED,
    SIGNED_CHANNELS,
    WRAPPING,
    Data,
    Inner,
    Parts,
)
from pusherkit.errors import AuthenticationError, InvalidEvent
from pusherkit.events import SERVER_TO_USER, check_channel_name, check_socket_id

# Characters of an auth, or of its data, whose mistake is searched for; ours. A server takes 10 KB
# of channel_data, and each text is signed hundreds of times.
MAX_SEARCHED = 16 * 1024
_KEY_SHOWN = 60  # characters of another app's key
UNKNOWN = "\0"  # for a socket_id or a channel that isn't known: nobody signs this
UNEXPLAINED = (
    "No known mistake, and no two of them together, give this signature. Still possible: it was "
    "made for another connection (each has a socket_id of its own, and a new one after every "
    "reconnect, so ask for a new auth each time); with another secret; over other data; or by a "
    "mistake that isn't in the table yet."
)
_OR_DATA = (
    " Or channel_data was signed and not sent: an authorizer of your own must pass on the whole "
    "answer of your server, not auth alone."
)
_NO_SOCKET_ID = (
    "The socket_id isn't known, and without it this can't be proven. It's in the frame "
    "pusher:connection_established that the client got on this connection."
)
_NO_CHANNEL = (
    "The channel isn't known, and without it this can't be proven. It's in the frame "
    "pusher:subscribe that the client sent."
)
_TOO_LONG = (
    f"The mistake is searched for in up to {MAX_SEARCHED:,} characters of auth and data, and there "
    "are more here."
)
UNFINISHED = "The search for the mistake took too long here, so it was stopped early."


def diagnose_subscription(
    credentials: Credentials,
    *,
    socket_id: str,
    channel: str,
    auth: str | None,
    channel_data: str | None = None,
    user_data: str | None = None,
    sent_channel_data: str | EllipsisType | None = ...,
    go_on: Callable[[], bool] = lambda: True,
) -> Diagnosis:
    """Name the mistakes that made a subscription's auth. All but the credentials as it arrived.

    With `user_data` it's a user's sign-in, and `channel` may be "". A `socket_id` or `channel` of
    "" is one that isn't known. `channel_data` is the text that the client sent. If it isn't the
    text that your server answered with, give that as `channel_data`, and what the client sent, or
    None for nothing, as `sent_channel_data`. `go_on` is as for explain(): False ends the search,
    which takes a second or two for channel_data of 10 KB, and some milliseconds without.
    """
    data = Data(channel_data if user_data is None else user_data)
    if user_data is None and not isinstance(sent_channel_data, EllipsisType):
        data = Data(sent_channel_data, channel_data)
    subscription = _Received(
        credentials=credentials,
        parts=Parts(
            socket_id or UNKNOWN,
            channel or ("" if user_data is not None else UNKNOWN),
            data.sent,
            user_data is not None,
        ),
        auth=auth or "",
        data=data,
    )
    return subscription.diagnosis(go_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    """A subscription or a sign-in as it arrived."""

    credentials: Credentials
    parts: Parts
    auth: str
    data: Data

    def diagnosis(self, go_on: Callable[[], bool]) -> Diagnosis:
        """What is wrong, and what is left."""
        notes, verified = self._of_form(), self._verified()
        valid = not notes and (verified or (self._public() and not self.auth))
        if self._public():
            notes.append(
                f"{self.parts.channel} is a public channel: it needs no auth, and servers don't "
                "look at one."
            )
        findings: tuple[Finding, ...] = ()
        unexplained = ""
        if not self.auth and not valid:
            notes.append(
                "auth is missing. Your server signs it, and the client sends it along, as "
                "KEY:SIGNATURE."
            )
        elif not verified and self.auth:
            findings, seen, unexplained = self._searched(go_on)
            notes += seen
        return Diagnosis(
            valid=valid,
            findings=findings,
            notes=tuple(map(self.credentials.hide, notes)),
            unexplained=unexplained,
            what="sign-in" if self.parts.sign_in else "subscription",
        )

    def _public(self) -> bool:
        parts = self.parts
        named = parts.channel != UNKNOWN and not parts.sign_in
        return named and not parts.channel.startswith(SIGNED_CHANNELS)

    def _searched(self, go_on: Callable[[], bool]) -> tuple[tuple[Finding, ...], list[str], str]:
        """What is proven, what is to be seen, and what is left."""
        left = UNEXPLAINED
        if self._too_long():
            return (), [], _TOO_LONG
        try:
            findings = self._findings(go_on)
        except StoppedEarly:
            findings, left = (), UNFINISHED
        if findings:  # without a mistake, it's one of form: a socket_id that can't be one
            return tuple(finding for finding in findings if finding.mistakes), [], ""
        seen, explained = self._seen()
        if explained:
            return (), seen, ""
        if left == UNEXPLAINED:
            parts = self.parts
            if parts.socket_id == UNKNOWN:
                left = _NO_SOCKET_ID
            elif parts.channel == UNKNOWN:
                left = _NO_CHANNEL
            elif self.data.sent is None and parts.channel.startswith("presence-"):
                return (), [*seen, _OR_DATA.strip()], ""  # that it's missing is reason enough
            elif self.data.sent is None:
                left += _OR_DATA
        return (), seen, left

    def _verified(self) -> bool:
        """Whether this is signed as it should be."""
        parts, auth = self.parts, self.auth
        try:
            if parts.sign_in:
                verify_user(self.credentials, parts.socket_id, auth, parts.data)
            else:
                verify_channel(self.credentials, parts.socket_id, parts.channel, auth, parts.data)
        except AuthenticationError:
            return False
        return True

    def _of_form(self) -> list[str]:
        """What can't be right, whatever was signed."""
        notes = []
        parts = self.parts
        for check, value in (
            (check_socket_id, parts.socket_id),
            (check_channel_name, parts.channel),
        ):
            try:
                if value not in ("", UNKNOWN) and not value.startswith(SERVER_TO_USER):
                    check(value)
            except InvalidEvent as error:
                notes.append(str(error))
        if parts.channel.startswith("presence-") and not parts.sign_in:
            if parts.data is None:
                notes.append(
                    "No channel_data was sent, and a presence channel needs it: JSON text such as "
                    '{"user_id":"7"}, which your server signs and answers with beside auth.'
                )
            elif not self._names_a_user():
                notes.append('channel_data: expected JSON text such as {"user_id":"7"}.')
        elif parts.sign_in:
            try:
                read_user_data(parts.data or "")
            except InvalidEvent as error:
                notes.append(str(error))
        return notes

    def _names_a_user(self) -> bool:
        try:
            value = self.data.value
        except (ValueError, RecursionError):
            return False
        user_id = value.get("user_id") if isinstance(value, dict) else None
        return isinstance(user_id, str | int) and not isinstance(user_id, bool) and user_id != ""

    def _too_long(self) -> bool:
        texts = (self.auth, self.data.sent or "", self.data.answered or "")
        # A socket_id, or a channel of over 200 characters, was refused for its form.
        return any(len(text) > MAX_SEARCHED for text in (*texts, *self.parts[:2]))

    def _opened(self) -> Iterator[tuple[tuple[Mistake, ...], str, Data]]:
        """The signature in the auth, with what is wrong around it: at most one on each axis."""
        right_start = f"{self.credentials.key}:"
        wrapped = made_wrong(WRAPPING["wrapping"], Inner(self.auth), self.auth)
        for packing, inner in chain(
            [((), Inner(self.auth))], (((by,), value) for by, value in wrapped)
        ):
            data = self.data
            if inner.data is not None and data.sent is None:  # it was sent, if in the wrong place
                data = Data(inner.data)
            if inner.auth.startswith(right_start):
                yield packing, inner.auth.removeprefix(right_start), data
            else:
                for by, signature in made_wrong(
                    WRAPPING["key"], None, inner.auth, self.credentials
                ):
                    yield (*packing, by), signature, data

    def _seen(self) -> tuple[list[str], bool]:
        """Where nothing is proven: what is to be seen in auth, and whether that's the reason."""
        opened = list(self._opened())
        if not opened:
            return [], False
        # What led to something that can be a signature; otherwise, what led furthest.
        made, signature, _ = max(
            opened, key=lambda one: (bool(SIGNATURE.fullmatch(one[1])), -len(one[0]))
        )
        if any(mistake.name == "another-key" for mistake in made):
            key = self.auth.rpartition(":")[0][:_KEY_SHOWN]
            return [
                f"auth begins with the key {key}, and {self.credentials.key} was expected. It was "
                "signed for another key, with that one's secret."
            ], True
        notes = [f"{mistake.why} {mistake.fix}" for mistake in map(self._told, made)]
        expected = "expected 64 lower-case hex digits after the app key and a colon"
        if len(signature) != 64:
            notes.append(f"The signature in auth has {len(signature)} characters; {expected}.")
        elif wrong := re.search("[^0-9a-f]", signature):
            at, character = wrong.start() + 1, wrong[0]
            notes.append(f"The signature in auth: {expected}; character {at} is {character!r}.")
        else:
            return notes, False
        return notes, True

    def _findings(self, go_on: Callable[[], bool]) -> tuple[Finding, ...]:
        """Every explanation with the fewest mistakes, two at most."""
        opened = list(self._opened())
        for count in range(3):
            hits: dict[tuple[Mistake, ...], Finding] = {}
            for around, signature, data in opened:
                for inside in range(count - len(around) + 1):
                    texts = self._texts(inside, data)
                    left = count - len(around)
                    for by, signed in signed_with(self.credentials, signature, texts, left, go_on):
                        mistakes = tuple(map(self._told, (*around, *by)))
                        hits.setdefault(mistakes, self._finding(mistakes, signed))
            if hits:
                return tuple(hits.values())
        return ()

    def _finding(self, mistakes: tuple[Mistake, ...], signed: bytes) -> Finding:
        hide, parts = self.credentials.hide, [*self.parts[:2], self.auth]
        parts += [text for text in (self.data.sent, self.data.answered) if text]
        holds = any(map(self.credentials.holds, parts))
        return Finding(
            mistakes=mistakes,
            canonical_string=NOT_SHOWN if holds else signed.decode(errors="replace"),
            reproduced=hide(self.auth),
        )

    def _told(self, mistake: Mistake) -> Mistake:
        """A mistake in the words for a subscription or a sign-in."""
        name = "user_data" if self.parts.sign_in else "channel_data"
        return replace(
            mistake, why=mistake.why.replace("DATA", name), fix=mistake.fix.replace("DATA", name)
        )

    def _texts(self, count: int, data: Data) -> Iterator[Text]:
        """The texts that may have been signed, with exactly so many mistakes in them."""
        given, sign_in = self.parts, self.parts.sign_in
        for axes in combinations(SIGNED, count):

            def values(axis: str, right: Any, told: Any, axes: Any = axes) -> list[Any]:
                return (
                    list(made_wrong(SIGNED[axis], right, told)) if axis in axes else [(None, right)]
                )

            for (by_id, socket_id), (by_channel, channel), (by_data, text) in product(
                values("socket_id", given.socket_id, given.socket_id),
                values("channel", given.channel, given.channel),
                values("data", data.sent, data),
            ):
                made = tuple(filter(None, (by_id, by_channel, by_data)))
                parts = Parts(socket_id, channel, text, sign_in)
                right = parts.joined()
                joined = (
                    made_wrong(SIGNED["joining"], right, parts)
                    if "joining" in axes
                    else [(None, right)]
                )
                for by, signed in joined:
                    yield Text(made + ((by,) if by else ()), signed.encode(errors="surrogatepass"))
