"""A request that arrived without its parameters: where are they, if not in the query? Pure.

A 401 like this sends people to the signature first, and there's nothing wrong with it. Either the
client put the parameters where the API doesn't look, or something on the way took them off the
URL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl

from pusherkit.doctor.pasted import MAX_PARAMS, PastedRequest
from pusherkit.signing import SIGNING_PARAMS, Request

_IN_QUERY = "This API reads them from the URL's query alone: /apps/3/events?auth_key=…&…"
DROPPED = (
    "No parameter arrived: the URL has neither auth_key nor auth_signature. If your client is a "
    "library it did send them, so compare the URL in its own log with this one. A proxy that drops "
    "the query is the usual reason: nginx does where proxy_pass has a path or a variable in it and "
    "it doesn't end with $is_args$args. If the client is your own, it has to sign first."
)
_PATH_SHOWN = 100  # characters


class Misplaced(NamedTuple):
    """What to say of a request without parameters, and the request with those it had elsewhere."""

    notes: tuple[str, ...]
    request: Request | None
    """None where nothing was found that could be judged."""


def misplaced(pasted: PastedRequest) -> Misplaced | None:
    """Where the parameters are; None where some of them are in the query, as they should be."""
    request = pasted.request
    if any(name.lower() in SIGNING_PARAMS for name, _ in request.params):
        return None
    for where, params in _elsewhere(pasted):
        names = ", ".join(dict.fromkeys(name for name, _ in params if name in SIGNING_PARAMS))
        moved = Request(request.method, request.path, [*request.params, *params], request.body)
        return Misplaced((f"{names} came in {where}. {_IN_QUERY}",), moved)
    if "/apps/" not in request.path:
        return Misplaced((_another_path(request.path),), None)
    return Misplaced((*_other_headers(pasted), *([] if _has_auth(pasted) else [DROPPED])), None)


def _another_path(path: str) -> str:
    return (
        f"The path {path[:_PATH_SHOWN]} isn't one of this API's, and no parameter of a signature "
        "came with it. Events go to POST /apps/{app_id}/events; a server answers 404 to any other "
        "path before it looks at a signature."
    )


_WEBHOOKS = {  # how a webhook names them; and as others go on from there
    f"x-pusher-{name}": f"auth_{name}" for name in ("key", "timestamp", "version", "signature")
}


def _has_auth(pasted: PastedRequest) -> bool:
    return any(name == "authorization" for name, _ in pasted.headers)


def _elsewhere(pasted: PastedRequest) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each place but the query that holds parameters of a signature."""
    by_name = [
        (name.removeprefix("x-pusher-").replace("-", "_"), value) for name, value in pasted.headers
    ]
    found = [(name, value) for name, value in by_name if name in SIGNING_PARAMS]
    if not found:
        found = [(_WEBHOOKS[name], value) for name, value in pasted.headers if name in _WEBHOOKS]
    if found:
        yield "headers of their own", found
    for name, value in pasted.headers:
        for text in (value, value.partition(" ")[2]):  # after a scheme, such as "Pusher"
            if found := _signing(_pairs(text.replace(", ", "&").replace(",", "&"))):
                shown = "the Authorization header" if name == "authorization" else "a header"
                yield shown, found
    text = pasted.request.body.decode(errors="replace")
    if found := _signing(_pairs(text)):
        yield "the body, as a form", found
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            pairs = [(name, str(inner)) for name, inner in value.items()]
            if found := _signing(pairs):
                yield "the JSON of the body", found


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMS)
    except ValueError:
        return []


def _signing(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The parameters of a signature among these, without quotes around their values."""
    return [
        (name.strip().lower(), value.strip().strip('"'))
        for name, value in pairs
        if name.strip().lower() in SIGNING_PARAMS
    ]


def _other_headers(pasted: PastedRequest) -> Iterator[str]:
    """What an Authorization header holds that no Pusher server reads."""
    for name, value in pasted.headers:
        scheme = value.partition(" ")[0].lower()
        if name != "authorization":
            continue
        if scheme == "basic":
            yield (
                "The request has a user and a password (HTTP Basic, curl's -u, or KEY:SECRET@ in "
                "the URL) and no parameters. This API takes no password, and the secret never goes "
                "over the wire: it signs. Put auth_key, auth_timestamp, auth_version, body_md5 and "
                "auth_signature into the query. If that password was your secret, make a new one."
            )
        elif scheme == "bearer":
            yield (
                "The request has an Authorization header with a Bearer token, and no parameters. "
                "This API reads no such header: what proves who you are is auth_signature, in the "
                "URL's query, beside auth_key, auth_timestamp, auth_version and body_md5."
            )
        else:
            yield (
                "The request has an Authorization header, and no parameters. This API doesn't read "
                "that header. " + _IN_QUERY
            )
