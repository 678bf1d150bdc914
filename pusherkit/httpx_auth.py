"""Sign any httpx request just before it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from urllib.parse import urlsplit

import httpx

from pusherkit.credentials import Credentials
from pusherkit.signing import sign

SIGNATURE_EXTENSION = "pusherkit.signature"  # where the working is left, in request.extensions


class PusherAuth(httpx.Auth):
    """httpx authentication: `httpx.post(url, json=event, auth=PusherAuth(credentials))`.

    It reads the body, so the bytes signed are the bytes sent; it adds the auth parameters to the
    URL, in place of earlier ones; and it leaves the Signature, with its working, in
    `request.extensions["pusherkit.signature"]`. It does nothing else.

    A path at the end of the credentials' base_url isn't signed: the proxy takes it off.

    `clock` returns Unix time in seconds; the fraction is dropped, so a request is never signed
    for the future.
    """

    requires_request_body = True

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._prefix = urlsplit(credentials.base_url).path
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        signature = sign(
            self._credentials,
            request.method,
            self._path(request),
            request.url.params.multi_items(),
            request.content,
            timestamp=int(self._clock()),
        )
        # httpx encodes the values for the wire. They were signed without that.
        request.url = request.url.copy_with(params=signature.query)
        request.extensions[SIGNATURE_EXTENSION] = signature
        yield request

    def _path(self, request: httpx.Request) -> str:
        """The path that the server will see."""
        # As it goes over the wire; url.path would undo its percent-encoding.
        path = request.url.raw_path.partition(b"?")[0].decode("ascii")
        behind = path.startswith(f"{self._prefix}/")
        return path.removeprefix(self._prefix) if behind else path
