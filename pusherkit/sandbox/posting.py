"""The two ways in which webhooks reach your server: a POST over HTTP, or a call in this process.

Which webhooks there are, and when, is decided in webhooks.py. Nothing waits for your server: the
practice server's loop posts one webhook at a time while it answers everybody else, and goes on
after ANSWER_SECONDS whatever happens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx

from pusherkit.sandbox.api import Sandbox
from pusherkit.sandbox.webhooks import ANSWER_SECONDS, DEPARTURE_SECONDS, UNANSWERED, Webhook

MAX_ROUNDS = 100  # of events that a handler in this process makes happen, one after the other
MAX_ANSWER_BYTES = 64 * 1024  # of an answer's body that are read, and not looked at
_SHOWN = 200  # characters of an error
_AGES = 1e6  # seconds, longer than anything here is waited for

WebhookHandler = Callable[[bytes, Mapping[str, str]], int]
"""Your server as a function: the raw body and the headers in, the status out."""


async def post_webhooks(sandbox: Sandbox, url: str | None, clock: Callable[[], float]) -> None:
    """Post each webhook when its time comes, until this is cancelled. None posts nothing."""
    webhooks = sandbox.webhooks
    if webhooks is None or url is None:
        return
    noted = asyncio.Event()
    webhooks.noted = noted.set
    # Each has a connection of its own: one that is kept may be closed just as it is used again. No
    # proxy can reach this machine, and no certificate is needed here.
    async with httpx.AsyncClient(
        headers={"User-Agent": "pusherkit", "Connection": "close"},
        limits=httpx.Limits(max_keepalive_connections=0),
        timeout=ANSWER_SECONDS,
        trust_env=False,
        verify=False,  # noqa: S501 - it's plain HTTP, and loading certificates takes long
    ) as client:
        while True:
            noted.clear()
            post = webhooks.take(time.monotonic(), now=clock())
            if post is None:
                wait = webhooks.wait(time.monotonic())
                with suppress(TimeoutError):
                    await asyncio.wait_for(noted.wait(), wait)
                continue
            try:
                status, problem = await _post(client, url, post.webhook)
            except asyncio.CancelledError:  # the server stops, and may start again
                webhooks.put_back(post)
                raise
            problem = sandbox.credentials.hide(problem)
            call = webhooks.answered(post, status, problem, ticks=time.monotonic(), now=clock())
            sandbox.log_webhook(call)


async def _post(client: httpx.AsyncClient, url: str, webhook: Webhook) -> tuple[int | None, str]:
    """The status of the answer; or None, and why there is none."""
    status = None
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            client.stream("POST", url, content=webhook.body, headers=webhook.headers) as response,
        ):
            status = response.status_code
            # The body doesn't matter. It's read so that a receiver can write it in peace.
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    break
    except (TimeoutError, httpx.TimeoutException):
        return status, UNANSWERED
    except httpx.ConnectError:
        return None, "Nobody is listening there. Is your server up, and is this its port?"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return status, f"No HTTP answer came: {str(error)[:_SHOWN] or 'the connection was cut.'}"
    return status, ""


def call_in_process(
    sandbox: Sandbox, handler: WebhookHandler, clock: Callable[[], float] = time.time
) -> Callable[[], None]:
    """Have each webhook of a sandbox call a function in this process: no socket, no thread.

    It's called as soon as something happens, in the call that makes it happen. No time passes here,
    so nothing waits for others, and a departure is told at once. An exception counts as 500. Where
    the answer isn't 2xx, the next attempt comes with the next event, or when you call what this
    returns.
    """
    webhooks = sandbox.webhooks
    if webhooks is None:
        raise ValueError("The sandbox sends no webhooks: make it with webhooks=Webhooks(…).")
    calling, ticks = False, 0.0

    def deliver() -> None:
        nonlocal calling, ticks
        if calling:  # the handler makes something happen, which is next
            return
        calling = True
        later = ticks + _AGES  # for what is to be called again
        try:
            for _ in range(MAX_ROUNDS):
                ticks += DEPARTURE_SECONDS  # enough for whatever happened in the round before
                while (post := webhooks.take(ticks, now=clock())) is not None:
                    status, problem = _call(handler, post.webhook)
                    problem = sandbox.credentials.hide(problem)
                    call = webhooks.answered(post, status, problem, ticks=later, now=clock())
                    sandbox.log_webhook(call)
                if webhooks.wait(ticks) is None:
                    break
        finally:
            calling, ticks = False, later + _AGES

    webhooks.noted = deliver
    return deliver


def _call(handler: WebhookHandler, webhook: Webhook) -> tuple[int, str]:
    try:
        status = handler(webhook.body, webhook.headers)
    except Exception as error:  # as a web framework does
        return 500, f"It raised {type(error).__name__}: {str(error)[:_SHOWN]}"
    if type(status) is not int:
        return 500, f"It returned {repr(status)[:_SHOWN]}; a status is a number, such as 200."
    return status, ""
