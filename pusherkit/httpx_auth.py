"""Sign any httpx request just before it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import httpx

from pusherkit.credentials import Credentials
from pusherkit.signing import sign

SIGNATURE_EXTENSION = "pusherkit.signature"  # where the working is left, in request.extensions


class PusherAuth(httpx.Auth):
    """httpx authentication: `httpx.post(url, json=event, auth=PusherAuth(credentials))`.

    It reads the body, so the bytes signed are the bytes sent; it adds the auth parameters to the
    URL, in place of earlier ones; and it leaves the Signature, with its working, in
    `request.extensions["pusherkit.signature"]`. It does nothing else.

    `clock` returns Unix time in seconds; the fraction is dropped, so a request is never signed
    for the future.
    """

    requires_request_body = True

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float] = time.time) -> None:
        self._credentials = credentials
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        signature = sign(
            self._credentials,
            request.method,
            # The path as it goes over the wire; url.path would undo its percent-encoding.
            request.url.raw_path.partition(b"?")[0].decode("ascii"),
            request.url.params.multi_items(),
            request.content,
            timestamp=int(self._clock()),
        )
        # httpx encodes the values for the wire. They were signed without that.
        request.url = request.url.copy_with(params=signature.query)
        request.extensions[SIGNATURE_EXTENSION] = signature
        yield request
