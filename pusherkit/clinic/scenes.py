"""Who calls the clinic, and with what: the stories of a queue, and their requests. Pure.

Everything here is as it should be, but not signed yet; faults.py breaks it. What varies between two
seeds (order numbers, couriers, who calls) is a Chance's choice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pusherkit.clinic.capstone import CLINIC_CREDENTIALS
from pusherkit.clinic.faults import Subscription, Webhook
from pusherkit.signing import Request

SHIFT_TIMESTAMP = 1_732_903_200  # Unix seconds: Friday, 29 November 2024, 18:00 UTC
SECONDS_BETWEEN = 420  # from one case to the next
APP = CLINIC_CREDENTIALS
"""The app of every case: the clinic's own."""
CLINIC_URL = "http://127.0.0.1:8124"  # where `pusherkit clinic` is, and the programs send to
Item = TypeVar("Item")
PATH = f"/apps/{APP.app_id}"


class Chance:
    """Choices that a seed makes in the same way everywhere.

    Python's own `random` promises that only of its random(), and not of choice() or shuffle().
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""
        self._drawn += 1
        digest = hashlib.sha256(f"{self._seed}/{self._drawn}".encode()).digest()
        return int.from_bytes(digest[:8]) % limit

    def choice(self, items: Sequence[Item]) -> Item:
        """One of them."""
        return items[self.below(len(items))]

    def shuffled(self, items: Iterable[Item]) -> list[Item]:
        """All of them, in some order."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            at = self.below(last + 1)
            mixed[last], mixed[at] = mixed[at], mixed[last]
        return mixed


# --- requests -------------------------------------------------------------------

_STATUSES = ("preparing", "left the depot", "out for delivery", "delivered")
_COURIERS = ("Zoë", "Łucja", "Søren", "José")
_ZONES = ("north", "harbour", "old-town", "station")


def _event(channel: str, status: str) -> dict[str, str]:
    data = json.dumps({"status": status}, separators=(",", ":"), ensure_ascii=False)
    return {"name": "status", "channel": channel, "data": data}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _status(chance: Chance) -> Request:
    event = _event(f"order-{chance.below(90) + 10}", chance.choice(_STATUSES))
    return Request("POST", f"{PATH}/events", (), _compact(event))


def _courier(chance: Chance) -> Request:
    event = _event(f"order-{chance.below(90) + 10}", f"{chance.choice(_COURIERS)} is on the way")
    return Request("POST", f"{PATH}/events", (), _compact(event))


def _office(chance: Chance) -> Request:
    orders = [f"order-{chance.below(90) + 10}-{letter}" for letter in "ab"]
    event = {"name": "status", "channels": [*orders, "news"], "data": chance.choice(_STATUSES)}
    # Upper case, and the same name twice: a server takes both, and the signature has its rules.
    zones = sorted(chance.shuffled(_ZONES)[:2], reverse=True)
    return Request(
        "POST",
        f"{PATH}/events",
        tuple(("Zone", zone) for zone in zones),
        json.dumps(event).encode(),
    )


def _template(chance: Chance) -> Request:
    event = _event(f"order-{chance.below(90) + 10}", chance.choice(_STATUSES))
    return Request("POST", f"{PATH}/events", (), json.dumps(event, indent=2).encode() + b"\n")


def _template_by_curl(chance: Chance) -> Request:
    template = _template(chance)
    body = template.body.replace(b"\n", b"")  # as curl -d @file sends it
    return Request(template.method, template.path, (), body)


def _batch(chance: Chance) -> Request:
    status = chance.choice(_STATUSES)
    events = [_event(f"order-{chance.below(90) + 10}", status) for _ in range(2)]
    return Request("POST", f"{PATH}/batch_events", (), _compact({"batch": events}))


def _watching(chance: Chance) -> Request:
    own = (("filter_by_prefix", "presence-"), ("info", "user_count,subscription_count"))
    return Request("GET", f"{PATH}/channels", own)


def _one_channel(chance: Chance) -> Request:
    zone, other = chance.shuffled(_ZONES)[:2]
    own = (("zone", zone), ("zone2", other), ("info", "subscription_count"))
    return Request("GET", f"{PATH}/channels/order-{chance.below(90) + 10},b", own)


def _couriers(chance: Chance) -> Request:
    return Request("GET", f"{PATH}/channels/presence-couriers/users")


Scene = tuple[str, Callable[[Chance], Request]]
SCENES: tuple[Scene, ...] = (
    ("The depot's new scanner reports a parcel.", _status),
    ("The couriers' app tells customers who's on the way.", _courier),
    ("The office informs several customers at once.", _office),
    ("A cron job sends a body from a template file.", _template),
    ("A cron job sends a template file with curl -d.", _template_by_curl),
    ("The night shift reports two parcels in one request.", _batch),
    ("The wall display asks who's watching.", _watching),
    ("The help desk asks whether a customer's page is open.", _one_channel),
    ("The planner asks which couriers are on duty.", _couriers),
)


def _private(chance: Chance) -> Subscription:
    return Subscription(
        socket_id=f"{chance.below(900_000) + 100_000}.{chance.below(9_000_000) + 1_000_000}0",
        channel=f"private-order-{chance.below(90) + 10}",
    )


def _presence(chance: Chance) -> Subscription:
    data = {"user_id": str(chance.below(90) + 10), "user_info": {"name": chance.choice(_COURIERS)}}
    return replace(
        _private(chance), channel="presence-couriers", channel_data=_compact(data).decode()
    )


def _depot(chance: Chance) -> Subscription:
    return replace(_private(chance), channel=f"private-Depot@{chance.below(9) + 1}")


SUBSCRIPTIONS: tuple[tuple[str, Callable[[Chance], Subscription]], ...] = (
    ("A customer's page wants its order's private channel.", _private),
    ("A courier wants to join the couriers' channel.", _presence),
    ("The depot's screen wants its own channel.", _depot),
)


def _idle(chance: Chance) -> Webhook:
    events = [{"name": "channel_vacated", "channel": f"order-{chance.below(90) + 10}"}]
    return Webhook(body=_compact({"time_ms": SHIFT_TIMESTAMP * 1000, "events": events}))


def _said_hello(chance: Chance) -> Webhook:
    event = {
        "name": "client_event",
        "channel": "presence-couriers",
        "event": "client-hello",
        "data": json.dumps({"from": chance.choice(_COURIERS)}, ensure_ascii=False),
    }
    return Webhook(body=_compact({"time_ms": SHIFT_TIMESTAMP * 1000, "events": [event]}))


WEBHOOKS: tuple[tuple[str, Callable[[Chance], Webhook]], ...] = (
    ("The receiver that stops sending positions when no page is open refuses its webhooks.", _idle),
    ("The receiver that logs the couriers' chat refuses its webhooks.", _said_hello),
    (
        "A receiver was moved behind a new proxy, and now it refuses everything.",
        lambda chance: replace(hook := _idle(chance), body=hook.body + b"\n"),
    ),
    (
        "A receiver got a logging library, and now it refuses everything.",
        lambda chance: Webhook(body=json.dumps(_idle(chance).body.decode()).encode()),
    ),
)
