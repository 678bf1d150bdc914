"""The clients that publish, each with the same few methods, so that one test fits them all.

An adapter translates names and nothing else. It raises Refused with the text that a user of that
client finds in its error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pusherkit import (
    APIError,
    AsyncClient,
    Client,
    Credentials,
    Event,
    authorize_channel,
)

from .peers import NodeProgram

Answer = dict[str, Any]
Batch = list[dict[str, Any]]


class Refused(Exception):
    """The server refused, and this is what the client tells of it."""


class PyPI:
    """PyPI's pusher, with its default backend."""

    def __init__(self, credentials: Credentials, **options: object) -> None:
        import pusher

        self._client = pusher.Pusher(
            app_id=credentials.app_id,
            key=credentials.key,
            secret=credentials.secret,
            encryption_master_key_base64=credentials.encryption_master_key_base64,
            ssl=False,
            host=urlsplit(credentials.base_url).hostname,
            port=urlsplit(credentials.base_url).port,
            **options,
        )

    def trigger(self, channels, name, data, socket_id=None) -> Answer:
        return self._result(self._client.trigger, channels, name, data, socket_id)

    def trigger_batch(self, batch: Batch) -> Answer:
        return self._result(self._client.trigger_batch, batch)

    def counts_of(self, channel: str) -> Answer:
        """Publish something and ask for the channel's subscription count in the answer."""
        batch = [{"channel": channel, "name": "e", "data": "{}", "info": "subscription_count"}]
        return self.trigger_batch(batch)["batch"][0]

    def channels(self, prefix: str, info: str | None = None) -> Answer:
        return self._result(self._client.channels_info, prefix, [info] if info else [])

    def channel(self, channel: str, info: str) -> Answer:
        return self._result(self._client.channel_info, channel, [info])

    def users(self, channel: str) -> Answer:
        return self._result(self._client.users_info, channel)

    def authorize(self, socket_id: str, channel: str, user: Answer | None = None) -> Answer:
        answer = self._client.authenticate(channel, socket_id, user)
        if "shared_secret" in answer:  # bytes, which JSON can't hold
            answer["shared_secret"] = answer["shared_secret"].decode()
        return answer

    def authenticate(self, socket_id: str, user: Answer) -> Answer:
        return self._client.authenticate_user(socket_id, user)

    def send_to_user(self, user_id: str, name: str, data: object) -> Answer:
        return self._result(self._client.send_to_user, user_id, name, data)

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> list[Answer]:
        key, signature = headers["X-Pusher-Key"], headers["X-Pusher-Signature"]
        read = self._client.validate_webhook(key, signature, body.decode())
        if read is None:
            raise Refused("the webhook isn't valid")
        return read["events"]

    def _result(self, method: Any, *arguments: object) -> Answer:
        from pusher.errors import PusherError

        try:
            return self._wait(method(*arguments))
        except PusherError as error:
            raise Refused(str(error)) from error

    def _wait(self, answer: Any) -> Answer:
        return answer


class PyPIAsync(PyPI):
    """PyPI's pusher on asyncio, through aiohttp."""

    def __init__(self, credentials: Credentials) -> None:
        from pusher.aiohttp import AsyncIOBackend

        super().__init__(credentials, backend=AsyncIOBackend)

    def _wait(self, answer: Awaitable[Answer]) -> Answer:
        return asyncio.run(answer)


class Npm:
    """npm's pusher. It has no methods for the queries; they go through its `get()`."""

    def __init__(self, credentials: Credentials, program: NodeProgram) -> None:
        self._program = program
        self._options = {
            "appId": credentials.app_id,
            "key": credentials.key,
            "secret": credentials.secret,
            "useTLS": False,
            "host": urlsplit(credentials.base_url).hostname,
            "port": urlsplit(credentials.base_url).port,
        }
        if credentials.encryption_master_key_base64:
            self._options["encryptionMasterKeyBase64"] = credentials.encryption_master_key_base64

    def trigger(self, channels, name, data, socket_id=None) -> Answer:
        options = {"socket_id": socket_id} if socket_id else {}
        return self._result("trigger", channels, name, data, options)

    def trigger_batch(self, batch: Batch) -> Answer:
        return self._result("triggerBatch", batch)

    def counts_of(self, channel: str) -> Answer:
        options = {"info": "subscription_count"}
        return self._result("trigger", channel, "e", "{}", options)["channels"][channel]

    def channels(self, prefix: str, info: str | None = None) -> Answer:
        params = {"filter_by_prefix": prefix} | ({"info": info} if info else {})
        return self.get("/channels", params)

    def channel(self, channel: str, info: str) -> Answer:
        return self.get(f"/channels/{channel}", {"info": info})

    def users(self, channel: str) -> Answer:
        return self.get(f"/channels/{channel}/users", {})

    def authorize(self, socket_id: str, channel: str, user: Answer | None = None) -> Answer:
        return self._result("authorizeChannel", socket_id, channel, *([user] if user else []))

    def authenticate(self, socket_id: str, user: Answer) -> Answer:
        return self._result("authenticateUser", socket_id, user)

    def send_to_user(self, user_id: str, name: str, data: object) -> Answer:
        return self._result("sendToUser", user_id, name, data)

    def terminate(self, user_id: str) -> Answer:
        return self._result("terminateUserConnections", user_id)

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> list[Answer]:
        lower = {name.lower(): value for name, value in headers.items()}
        read = self._result("webhook", {"headers": lower, "rawBody": body.decode()})
        if not read["valid"]:
            raise Refused("the webhook isn't valid")
        return read["events"]

    def get(self, path: str, params: Answer) -> Answer:
        return self._result("get", {"path": path, "params": params})

    def _result(self, method: str, *arguments: object) -> Answer:
        self._program.tell(options=self._options, method=method, args=arguments)
        outcome = self._program.hear()
        if "error" in outcome:
            raise Refused(outcome.get("body") or outcome["error"])
        return outcome["result"]


class Ours:
    """pusherkit's Client."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def trigger(self, channels, name, data, socket_id=None) -> Answer:
        return self._result("trigger", channels, name, data, socket_id)

    def trigger_batch(self, batch: Batch) -> Answer:
        return self._result(
            "trigger_batch",
            [Event.of(each["channel"], each["name"], each["data"]) for each in batch],
        )

    def channels(self, prefix: str, info: str | None = None) -> Answer:
        return self._result("channels", prefix=prefix, info=info or ())

    def channel(self, channel: str, info: str) -> Answer:
        return self._result("channel_info", channel, info=info)

    def users(self, channel: str) -> Answer:
        return self._result("users", channel)

    def authorize(self, socket_id: str, channel: str, user: Answer | None = None) -> Answer:
        return authorize_channel(self._credentials, socket_id, channel, user)

    def _result(self, method: str, *arguments: object, **options: object) -> Answer:
        with _errors():
            return self._call(method, *arguments, **options)

    def _call(self, method: str, *arguments: object, **options: object) -> Answer:
        with Client(self._credentials) as client:
            return getattr(client, method)(*arguments, **options)


class OursAsync(Ours):
    """pusherkit's AsyncClient."""

    def _call(self, method: str, *arguments: object, **options: object) -> Answer:
        async def call() -> Answer:
            async with AsyncClient(self._credentials) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(call())


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except APIError as error:
        raise Refused(str(error)) from error
