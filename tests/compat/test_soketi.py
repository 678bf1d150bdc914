"""What soketi alone shows: it answers 200 to nearly every error, and ours raise what fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pusherkit import (
    AsyncClient,
    BadRequest,
    Client,
    NotFound,
    PayloadTooLarge,
    PusherError,
    RateLimited,
    Unauthorized,
)
from pusherkit.subscriber import Subscriber

from .peers import SLOW_APP, SLOW_RATE, SMALL_APP, SMALL_DATA_KB, SOKETI_APP


@pytest.fixture
def app(soketi):
    return replace(SOKETI_APP, base_url=soketi)


def test_it_answers_200_with_an_error_inside(app):
    with Client(replace(app, secret="not-the-secret")) as client:
        answer = client.http.get(f"/apps/{app.app_id}/channels")
    assert (answer.status_code, answer.json()["code"]) == (200, 401)


@pytest.mark.parametrize("call", ["channels", "trigger"])
def test_unauthorized(app, call):
    arguments = ("chat", "message", "{}") if call == "trigger" else ()
    with (
        Client(replace(app, secret="not-the-secret")) as client,
        pytest.raises(Unauthorized, match="401: The secret authentication failed"),
    ):
        getattr(client, call)(*arguments)


async def test_unauthorized_async(app):
    async with AsyncClient(replace(app, secret="not-the-secret")) as client:
        with pytest.raises(Unauthorized, match="401: The secret authentication failed"):
            await client.channels()


def test_not_found(app):
    with (
        Client(replace(app, app_id="404")) as client,
        pytest.raises(NotFound, match="The app 404 could not be found"),
    ):
        client.trigger("chat", "message", "{}")


def test_bad_request(app):
    with Client(app) as client, pytest.raises(BadRequest, match="must be a presence channel"):
        client.users("chat")


def test_payload_too_large(soketi):
    small_app = replace(SMALL_APP, base_url=soketi)
    data = "x" * (SMALL_DATA_KB * 1024 + 1)
    with Client(small_app) as client, pytest.raises(PayloadTooLarge, match="less than 1 KB"):
        client.trigger("chat", "message", data)


def test_rate_limited(soketi):
    slow_app = replace(SLOW_APP, base_url=soketi)
    channels = [f"c{number}" for number in range(SLOW_RATE + 1)]  # each counts as an event
    with Client(slow_app) as client, pytest.raises(RateLimited, match="Too many requests"):
        client.trigger(channels, "message", "{}")


def test_unknown_key_of_a_subscriber(app):
    with pytest.raises(PusherError, match=r"App key nobodys does not exist\."):
        Subscriber(replace(app, key="nobodys"), "chat")


# --- what a green test on soketi does not prove -------------------------------------------------


def test_it_does_not_check_the_clock(app):
    with Client(app, clock=lambda: 0) as client:
        assert client.trigger("chat", "message", "{}") == {"ok": True}


def test_it_does_not_check_the_key(app):
    with Client(replace(app, key="nobodys")) as client:
        assert client.trigger("chat", "message", "{}") == {"ok": True}


def test_it_does_not_know_info(app):
    with Client(app) as client:
        answer = client.trigger("chat", "message", "{}", info=["subscription_count"])
        assert answer == {"ok": True}
