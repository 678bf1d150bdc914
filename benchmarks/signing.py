"""sign() against the least that signing takes, and against PyPI's pusher."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlencode

from benchmarks import peers
from benchmarks.measure import Run, against, per_call, ratio
from benchmarks.report import Row, Target
from pusherkit import Credentials, sign
from pusherkit.events import Event, event_body

SIZES = {"84 B": 84, "1 KB": 1_024, "10 KB": 10_240, "100 KB": 102_400}  # of the whole body
TARGETS = {"84 B": (Target("≥", 0.5), Target("≥", 3))}  # over the floor, over the SDK
CREDENTIALS = Credentials(
    app_id="3",
    key="278d425bdf160c739803",
    secret="7ad3773142a6692b25b8",  # the published example
)
PATH = f"/apps/{CREDENTIALS.app_id}/events"
TIMESTAMP = 1_353_088_179
SDK_LIMIT = 30_000  # bytes of data; PyPI's pusher refuses a little more
GOES_TO = (
    "It goes to MD5, join and HMAC, as the floor does; the rest to the Signature, which carries "
    "the working, and to looking for parameters of the caller's own"
)


def floor(body: bytes) -> str:
    """A signature by hand, as a caller would write it who needs nothing but this request."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    query = "&".join(
        (
            f"auth_key={CREDENTIALS.key}",
            f"auth_timestamp={TIMESTAMP}",
            "auth_version=1.0",
            f"body_md5={digest}",
        )
    )
    text = f"POST\n{PATH}\n{query}"
    return hmac.digest(CREDENTIALS.secret.encode(), text.encode(), "sha256").hex()


def kit(body: bytes) -> str:
    """The same by pusherkit."""
    return sign(CREDENTIALS, "POST", PATH, body=body, timestamp=TIMESTAMP).hexdigest


def event_of(size: int) -> tuple[Event, bytes]:
    """An event whose body has `size` bytes, and that body."""
    empty = len(event_body(Event.of("chat", "message", "")))
    event = Event.of("chat", "message", "x" * (size - empty))
    return event, event_body(event)


def sdk(event: Event) -> Callable[[], object]:
    """What PyPI's pusher does up to sending: body, signature, URL and headers."""
    peers.pypi_pusher()
    import pusher
    import pusher.http

    client = pusher.Pusher(
        app_id=CREDENTIALS.app_id, key=CREDENTIALS.key, secret=CREDENTIALS.secret, ssl=False
    )._pusher_client
    fields = {"name": event.name, "channels": list(event.channels), "data": event.data}

    def build() -> object:
        if len(event.data) > SDK_LIMIT:  # trigger() refuses it; this is what trigger() calls
            request = pusher.http.Request(client, "POST", PATH, fields)
        else:
            request = client.trigger.make_request(event.channels[0], event.name, event.data)
        return request.url, request.headers

    return build


def whole(event: Event) -> object:
    """The same work by pusherkit: body, signature and query."""
    event = Event.of(event.channels, event.name, event.data)
    signature = sign(CREDENTIALS, "POST", PATH, body=event_body(event), timestamp=TIMESTAMP)
    return urlencode(signature.query)


def run(run: Run) -> Iterator[Row]:
    """Three rows for each size."""
    for label, size in SIZES.items():
        event, body = event_of(size)
        assert kit(body) == floor(body), "the floor does not sign what sign() signs"
        works = {
            "floor": per_call(partial(floor, body)),
            "sign": per_call(partial(kit, body)),
            "whole": per_call(partial(whole, event)),
        }
        missing = ""
        try:
            works["sdk"] = per_call(sdk(event))
        except peers.Missing as absent:
            missing = str(absent)
        times = run.interleave(f"signing: {label}", works, run.pick(full=60, quick=15))
        over_floor, over_sdk = TARGETS.get(label, (None, None))
        yield Row(
            figure=f"{label}: speed of sign() ÷ hand-written floor",
            ratio=ratio(times["floor"], times["sign"]),
            target=over_floor,
            measured=against(times["sign"], times["floor"]),
            if_missed=GOES_TO,
        )
        for what, name, target in (
            ("speed of sign()", "sign", over_sdk),
            ("speed of event, JSON, sign() and query", "whole", None),
        ):
            figure = f"{label}: {what} ÷ PyPI pusher"
            yield _over_sdk(figure, name, times, target, missing)


def _over_sdk(
    figure: str, name: str, times: dict[str, list[float]], target: Target | None, missing: str
) -> Row:
    if missing:
        return Row(figure=figure, target=target, missing=missing)
    return Row(
        figure=figure,
        ratio=ratio(times["sdk"], times[name]),
        target=target,
        measured=against(times[name], times["sdk"]),
        if_missed=GOES_TO,
    )
