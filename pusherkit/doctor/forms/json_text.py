"""JSON in a text: archives, frames, and log lines whose strings hold a text of their own. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from pusherkit.doctor.forms.archives import requests_in
from pusherkit.doctor.forms.parts import Claim
from pusherkit.doctor.forms.subscriptions import Fields, fields_in

JSON_HINT = re.compile(r"[\[{](?=\s*[\"{\[])")
MAX_STRINGS = 1_000  # of one value, that are read as texts of their own
MAX_FAILURES = 2_000  # brackets that begin no value, until no more are tried
MAX_LONG_FAILURES = 50  # the same, of values over several lines; each costs a count of the lines

INSIDE = ", inside JSON"

ReadInside = Callable[[str], tuple[Claim, ...]]


class JsonReader:
    """Reads the JSON values in one text; what they say of subscriptions is in `fields`."""

    def __init__(self, text: str, inside: ReadInside | None) -> None:
        self._text = text
        self._inside = inside
        self._failed_to = 0  # a value that goes over several lines was tried up to here
        self._failures = 0
        self.fields: list[Fields] = []

    def read(self, found: re.Match[str]) -> Claim | None:
        """The value at `found`. Raises UnreadableText for an archive that can't be read."""
        value, end = self._value(found.start())
        if end < 0:
            return None
        raw = self._text[found.start() : end]
        form, requests, said = requests_in(value)
        if form:
            return Claim(found.start(), end, form, requests=tuple(requests), said=said)
        before = self._text[max(0, found.start() - 20) : found.start()]
        if (said_of := fields_in(value)) and not before.rstrip().endswith("but got"):
            values, whole = said_of
            self.fields.append(Fields(found.start(), values, whole))
            return Claim(found.start(), end, "a subscription", said=raw)
        inside = self._inside
        inner = [claim for text in _texts(value) for claim in inside(text)] if inside else []
        made = tuple(request for claim in inner for request in claim.requests)
        form = next((claim.form for claim in inner if claim.requests), "")
        if form and not form.endswith(INSIDE):
            form += INSIDE
        return Claim(found.start(), end, form, requests=made, said=raw)

    def _value(self, start: int) -> tuple[Any, int]:
        """A JSON value and its end; -1 where there is none."""
        text, at = self._text, start
        if self._failures > MAX_FAILURES:
            return None, -1
        if (
            start < self._failed_to or self._failures > MAX_LONG_FAILURES
        ):  # so the lines of a broken value aren't each read to its end
            end = text.find("\n", start)
            text, at = text[start : len(text) if end < 0 else end], 0
        try:
            value, end = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError as error:
            self._failures += 1
            self._failed_to = max(self._failed_to, start + error.pos - at)
            return None, -1
        except RecursionError:
            self._failures += 1
            self._failed_to = len(self._text)
            return None, -1
        return value, start + end - at


def _texts(value: Any) -> Iterator[str]:
    """The strings inside a value in which a request may be."""
    waiting, left = [value], MAX_STRINGS
    while waiting and left:
        inner = waiting.pop()
        if isinstance(inner, str) and "/apps/" in inner:
            left -= 1
            yield inner
        elif isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
