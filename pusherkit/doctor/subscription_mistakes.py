"""The table of what people get wrong when they authorize a subscription or a sign-in. Pure.

To subscribe to a private or presence channel, a client asks your server for an `auth`, and sends
it on. It's the app key, a colon, and the HMAC of `socket_id:channel`, or of
`socket_id:channel:channel_data`; of a user's sign-in, that of `socket_id::user::user_data`
(Pusher's documentation, "Auth signatures"). So a mistake can sit in what was signed, or in what is
around the auth by the time it's sent. What can go wrong with the secret, the HMAC and the hex is
the same as for requests; mistakes.py has it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Row
from pusherkit.doctor.search import without_quotes
from pusherkit.doctor.signed_texts import enter, serialisations

SIGNED_CHANNELS = ("private-", "presence-")  # beginnings of the names that need an auth
_NO_KEY = ("", "null", "none", "nil", "undefined")  # what an empty setting becomes, in lower case


class Inner(NamedTuple):
    """What was inside a wrapping: the auth itself, and channel_data if that came along."""

    auth: str
    data: str | None = None


@dataclass(frozen=True)
class Data:
    """The data of a subscription or a sign-in: as it was sent, and as the server had it.

    `answered` is what the server's answer held, where that is known and isn't what was sent.
    """

    sent: str | None
    answered: str | None = None

    @cached_property
    def value(self) -> Any:
        """What the JSON means. Raises ValueError or RecursionError where it isn't JSON."""
        return json.loads(self.sent or "")

    @cached_property
    def serialised(self) -> tuple[str, ...]:
        """The same JSON, in the ways that programs commonly write it."""
        return tuple(serialisations(self.value))


# --- the tables -------------------------------------------------------------------------------
#
# One function per mistake, as in mistakes.py: it yields what was there instead of the right value.
# In `why` and `fix`, DATA stands for channel_data or, of a sign-in, user_data.

WRAPPING: dict[str, list[Row]] = {}
"""How the auth was packed: each function takes what was sent, and yields what is Inner."""
SIGNED: dict[str, list[Row]] = {}
"""What was signed: socket_id, channel, data and, last, how they were joined."""
_AUTH_ALONE = "Send the value of auth alone: KEY:SIGNATURE, as text."
_IN_WRAPPING, _IN_SIGNED = partial(enter, WRAPPING), partial(enter, SIGNED)


# wrapping: what is around the auth


@_IN_WRAPPING(
    "wrapping",
    "auth is itself a JSON text: what your server answered was encoded again, or never decoded.",
    'Encode the answer once, as {"auth": "KEY:SIGNATURE"}. The SDK\'s own function may return '
    "JSON text already: send that as it is.",
)
def _json_encoded_twice(auth: str) -> Iterator[Inner]:
    if auth.lstrip()[:1] in ("{", '"'):
        yield from _opened(json.loads(auth))


@_IN_WRAPPING(
    "wrapping",
    "auth is a printed dictionary, the way Python shows one, instead of the text inside it.",
    _AUTH_ALONE,
)
def _dictionary_printed(auth: str) -> Iterator[Inner]:
    if found := re.search(r"'auth': '([^']{1,1000})'", auth):
        yield Inner(found[1])


@_IN_WRAPPING(
    "wrapping",
    "The whole auth was encoded in base64.",
    "Encode nothing. " + _AUTH_ALONE,
)
def _auth_in_base64(auth: str) -> Iterator[Inner]:
    standard = auth.replace("-", "+").replace("_", "/")  # JWT libraries write these two
    decoded = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    yield Inner(decoded)
    with suppress(ValueError, RecursionError):
        yield from _opened(json.loads(decoded))


@_IN_WRAPPING(
    "wrapping",
    "auth has quotes or white space around it.",
    _AUTH_ALONE,
)
def _auth_in_quotes(auth: str) -> Iterator[Inner]:
    yield Inner(_bare(auth))


@_IN_WRAPPING(
    "wrapping",
    "auth was sent in URL encoding.",
    "Decode it once before you send it: a frame holds JSON, and no URL. " + _AUTH_ALONE,
)
def _auth_url_encoded(auth: str) -> Iterator[Inner]:
    yield Inner(unquote(auth))


@_IN_WRAPPING(
    "wrapping",
    "auth is what a language prints around an optional value, such as Some(…) or Optional(…).",
    "Take the text out of the optional value first. " + _AUTH_ALONE,
)
def _optional_printed(auth: str) -> Iterator[Inner]:
    if found := re.fullmatch(r"[A-Za-z]{2,12}[(\[](.*)[)\]]", auth, re.DOTALL):
        yield Inner(found[1].strip('"'))


def _bare(text: str) -> str:
    return without_quotes(text.strip("\ufeff"))  # some editors begin a file with this mark


def _opened(value: Any) -> Iterator[Inner]:
    """The auth in an answer that was decoded, however often it was encoded."""
    data = None
    for _ in range(3):  # twice is common, and three times has been seen
        if isinstance(value, dict):
            told = value.get("channel_data", value.get("user_data"))
            data = told if isinstance(told, str) else data
            value = value.get("auth")
        elif isinstance(value, str) and value.lstrip()[:1] in ("{", '"'):
            value = json.loads(value)
    if isinstance(value, str):
        yield Inner(value, data)


# key: what is before the colon; yields the signature


@_IN_WRAPPING(
    "key",
    "auth holds the signature alone: the app key before the colon is missing.",
    "Send KEY:SIGNATURE, and look whether the app key is empty in your server's settings.",
)
def _key_missing(auth: str, credentials: Credentials) -> Iterator[str]:
    key, colon, signature = auth.partition(":")
    if not colon:
        yield auth
    elif key.lower() in _NO_KEY:
        yield signature


@_IN_WRAPPING(
    "key",
    "auth begins with the app's secret, where the app key belongs. Everybody can read an auth, "
    "so this secret isn't one any more.",
    "Put the app key there, and get a new secret. Check whether the two are swapped.",
)
def _secret_for_key(auth: str, credentials: Credentials) -> Iterator[str]:
    if auth.startswith(f"{credentials.secret}:"):
        yield auth.removeprefix(f"{credentials.secret}:")


@_IN_WRAPPING(
    "key",
    "auth begins with the app id, where the app key belongs.",
    "Put the app key there.",
)
def _app_id_for_key(auth: str, credentials: Credentials) -> Iterator[str]:
    if auth.startswith(f"{credentials.app_id}:"):
        yield auth.removeprefix(f"{credentials.app_id}:")


@_IN_WRAPPING(
    "key",
    "The app key in auth has quotes or white space around it.",
    "Take them off where the key is set.",
)
def _key_in_quotes(auth: str, credentials: Credentials) -> Iterator[str]:
    key, colon, signature = auth.rpartition(":")
    around_all_of_it = _bare(auth).startswith(f"{credentials.key}:")
    if colon and _bare(key) == credentials.key and not around_all_of_it:
        yield signature


@_IN_WRAPPING(
    "key",
    "auth has the signature first and the app key last.",
    "Write it the other way round, as KEY:SIGNATURE.",
)
def _key_and_signature_swapped(auth: str, credentials: Credentials) -> Iterator[str]:
    if auth.endswith(f":{credentials.key}"):
        yield auth.removesuffix(f":{credentials.key}")


@_IN_WRAPPING(
    "key",
    "auth begins with the key of another app, or with an old one; the secret is this app's.",
    "Take the app key and the secret from the same app, and check which key your server's "
    "settings name.",
)
def _another_key(auth: str, credentials: Credentials) -> Iterator[str]:
    key, colon, signature = auth.rpartition(":")
    known = (credentials.key, credentials.secret, credentials.app_id)
    if colon and key.lower() not in _NO_KEY and _bare(key) not in known:
        yield signature


# socket_id: which connection was signed

_SOCKET_ID_ONCE = (
    "Sign the socket_id that the client sent to your server, as text: not one from your settings, "
    "and not as a number."
)


@_IN_SIGNED(
    "socket_id",
    "There was no socket_id where it was signed: it was empty, null or undefined.",
    "Read the socket_id from the form that the client posts to your server, and refuse a request "
    "without one.",
)
def _socket_id_empty(socket_id: str) -> Iterator[str]:
    yield from ("", "null", "undefined", "None", "nil")


@_IN_SIGNED(
    "socket_id",
    "The socket_id was signed as a number, so digits were lost.",
    _SOCKET_ID_ONCE,
)
def _socket_id_as_number(socket_id: str) -> Iterator[str]:
    number = float(socket_id)
    yield repr(number)
    yield f"{number:.14g}"  # as PHP prints it by default
    yield f"{number:g}"
    yield socket_id.partition(".")[0]


@_IN_SIGNED(
    "socket_id",
    "The socket_id was signed with quotes or white space around it.",
    _SOCKET_ID_ONCE,
)
def _socket_id_in_quotes(socket_id: str) -> Iterator[str]:
    yield from _quoted(socket_id)
    yield from (f" {socket_id}", f"{socket_id} ", f"{socket_id}\n", f"{socket_id}\r\n")


# channel: which channel was signed

_CHANNEL_AS_SENT = "Sign the channel's name exactly as the client sends it, with its prefix."


@_IN_SIGNED(
    "channel",
    "The channel was signed without its prefix, private- or presence-.",
    _CHANNEL_AS_SENT,
)
def _prefix_not_signed(channel: str) -> Iterator[str]:
    for prefix in ("private-encrypted-", *SIGNED_CHANNELS):
        if channel.startswith(prefix):
            yield channel.removeprefix(prefix)


@_IN_SIGNED(
    "channel",
    "The channel was signed with a prefix, private- or presence-, that it doesn't have on the "
    "wire.",
    _CHANNEL_AS_SENT + " A helper that adds the prefix must not get a name that has it.",
)
def _prefix_added(channel: str) -> Iterator[str]:
    yield from (f"{prefix}{channel}" for prefix in ("private-", "presence-", "private-encrypted-"))


@_IN_SIGNED(
    "channel",
    "The channel was signed with another prefix than the one it was subscribed with.",
    _CHANNEL_AS_SENT,
)
def _another_prefix(channel: str) -> Iterator[str]:
    prefixes = ("private-encrypted-", *SIGNED_CHANNELS)
    for prefix in prefixes:
        if channel.startswith(prefix):
            yield from (f"{other}{channel.removeprefix(prefix)}" for other in prefixes)


@_IN_SIGNED(
    "channel",
    "The channel's name was signed URL-encoded.",
    "Sign the name as it is: decode what the client posted, once, and encode nothing.",
)
def _channel_url_encoded(channel: str) -> Iterator[str]:
    special = sorted({character for character in channel if quote(character, safe="") != character})
    # Every function leaves other characters as they are, so each choice of them is tried.
    for count in range(len(special) + 1):
        for safe in combinations(special, count):
            encoded = quote(channel, safe="".join(safe))
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


@_IN_SIGNED(
    "channel",
    "The channel's name was sent URL-encoded, but signed as it is.",
    "Subscribe to the name as it is: a frame holds JSON, and no URL.",
)
def _channel_sent_url_encoded(channel: str) -> Iterator[str]:
    yield unquote(channel)


@_IN_SIGNED(
    "channel",
    "The channel's name was signed in lower case.",
    _CHANNEL_AS_SENT,
)
def _channel_in_lower_case(channel: str) -> Iterator[str]:
    yield channel.lower()


@_IN_SIGNED(
    "channel",
    "The channel's name was signed with quotes or white space around it.",
    _CHANNEL_AS_SENT,
)
def _channel_in_quotes(channel: str) -> Iterator[str]:
    yield from _quoted(channel)


@_IN_SIGNED(
    "channel",
    "There was no channel where it was signed: it was empty, null or undefined.",
    "Read the channel from the field channel_name of the form that the client posts to your "
    "server.",
)
def _channel_empty(channel: str) -> Iterator[str]:
    yield from ("", "null", "undefined", "None", "nil")


# data: channel_data or, of a sign-in, user_data

_DATA_ONCE = (
    "Write the JSON once, sign that text, and send that very text. The client passes it on as it "
    "is."
)


@_IN_SIGNED(
    "data",
    "DATA was sent but not signed.",
    "Sign it, too: it's the last part of the signed text, after another colon.",
)
def _data_not_signed(data: Data) -> Iterator[str | None]:
    yield None


@_IN_SIGNED(
    "data",
    "DATA was signed but not sent.",
    "Send DATA beside auth, in the very text that was signed. An authorizer of your own must "
    "pass on the whole answer of your server, not auth alone.",
)
def _data_not_sent(data: Data) -> Iterator[str | None]:
    if data.sent is None and data.answered is not None:
        yield data.answered


@_IN_SIGNED(
    "data",
    "The DATA that was sent isn't the DATA that your server signed.",
    _DATA_ONCE,
)
def _data_changed(data: Data) -> Iterator[str | None]:
    if data.sent is not None and data.answered is not None:
        yield data.answered


@_IN_SIGNED(
    "data",
    "No DATA was sent, but an empty one was signed: a colon too many, or the word for nothing.",
    "Where there is no DATA, sign socket_id:channel, and nothing after it.",
)
def _empty_data_signed(data: Data) -> Iterator[str | None]:
    if data.sent is None:
        yield from ("", "null", "undefined", "None", "{}", "[]", '""')


@_IN_SIGNED(
    "data",
    "DATA was signed in another form than it was sent: the same JSON was written a second time.",
    _DATA_ONCE,
)
def _data_serialised_again(data: Data) -> Iterator[str | None]:
    yield from data.serialised
    if isinstance(data.value, dict):  # the order of an object's keys is the writer's own
        yield from serialisations(dict(reversed(data.value.items())))


@_IN_SIGNED(
    "data",
    "The id in DATA is a number where it was signed and text where it was sent, or the reverse.",
    _DATA_ONCE,
)
def _id_of_another_type(data: Data) -> Iterator[str | None]:
    for name in ("user_id", "id"):
        user_id = data.value.get(name) if isinstance(data.value, dict) else None
        if isinstance(user_id, int) and not isinstance(user_id, bool):
            yield from serialisations({**data.value, name: str(user_id)})
        elif isinstance(user_id, str) and re.fullmatch("[0-9]{1,18}", user_id):
            yield from serialisations({**data.value, name: int(user_id)})


@_IN_SIGNED(
    "data",
    "DATA was signed as an object, not as JSON text, so the signature is of what the language "
    "prints for an object.",
    "Write the JSON first, and sign that text. " + _DATA_ONCE,
)
def _object_signed(data: Data) -> Iterator[str | None]:
    if not isinstance(data.value, str):
        yield from ("[object Object]", "Array", str(data.value))


@_IN_SIGNED(
    "data",
    "DATA was encoded as JSON once more before it was signed.",
    _DATA_ONCE,
)
def _data_encoded_again(data: Data) -> Iterator[str | None]:
    if data.sent is not None:
        yield from serialisations(data.sent)


@_IN_SIGNED(
    "data",
    "DATA was encoded as JSON once more after it was signed.",
    _DATA_ONCE,
)
def _data_sent_encoded_again(data: Data) -> Iterator[str | None]:
    if isinstance(data.value, str):
        yield data.value


@_IN_SIGNED(
    "data",
    "DATA was signed URL-encoded.",
    "Sign the JSON as it is, and send it so.",
)
def _data_url_encoded(data: Data) -> Iterator[str | None]:
    if data.sent is not None:
        yield quote(data.sent, safe="")
        yield quote(data.sent, safe="~()*!.'")  # encodeURIComponent()


@_IN_SIGNED(
    "data",
    "DATA was signed with white space or quotes around it that weren't sent, or the reverse.",
    _DATA_ONCE,
)
def _data_in_quotes(data: Data) -> Iterator[str | None]:
    if data.sent is not None:
        yield data.sent.strip()
        yield from _quoted(data.sent)


@_IN_SIGNED(
    "data",
    "Only a part of DATA was signed: the user's id, or user_info.",
    _DATA_ONCE,
)
def _part_of_data_signed(data: Data) -> Iterator[str | None]:
    if isinstance(data.value, dict):
        for part in ("user_id", "id"):
            if isinstance(value := data.value.get(part), str | int):
                yield str(value)
        if "user_info" in data.value:
            yield from serialisations(data.value["user_info"])


# joining: how the parts become one text. `Parts` has socket_id, channel and data.


class Parts(NamedTuple):
    """What the signed text is made of. A sign-in has no channel ("")."""

    socket_id: str
    channel: str
    data: str | None
    sign_in: bool

    def joined(self) -> str:
        """The text that should be signed."""
        start = f"{self.socket_id}::user::" if self.sign_in else f"{self.socket_id}:{self.channel}"
        if self.sign_in:
            return f"{start}{self.data or ''}"
        return start if self.data is None else f"{start}:{self.data}"


@_IN_SIGNED(
    "joining",
    "The channel was signed before the socket_id.",
    "Put the socket_id first: socket_id:channel.",
)
def _order_swapped(parts: Parts) -> Iterator[str]:
    if not parts.sign_in:
        rest = [] if parts.data is None else [parts.data]
        yield ":".join([parts.channel, parts.socket_id, *rest])
        yield ":".join([*rest, parts.socket_id, parts.channel])
        yield ":".join([parts.socket_id, *rest, parts.channel])


@_IN_SIGNED(
    "joining",
    "The socket_id is missing from the signed text.",
    "Put it first, before a colon: socket_id:channel.",
)
def _socket_id_not_signed(parts: Parts) -> Iterator[str]:
    data = [] if parts.data is None else [parts.data]
    yield ":".join([*([] if parts.sign_in else [parts.channel]), *data])
    if parts.sign_in:
        yield f"user::{parts.data}"


@_IN_SIGNED(
    "joining",
    "The channel is missing from the signed text.",
    "Put it after the socket_id and a colon: socket_id:channel.",
)
def _channel_not_signed(parts: Parts) -> Iterator[str]:
    if not parts.sign_in:
        yield parts.socket_id
        if parts.data is not None:
            yield f"{parts.socket_id}:{parts.data}"
            yield parts.data


@_IN_SIGNED(
    "joining",
    "The parts of the signed text aren't joined by colons.",
    "Join them with one colon each; in a sign-in, user stands between two colons on either side.",
)
def _another_separator(parts: Parts) -> Iterator[str]:
    middle = "user" if parts.sign_in else parts.channel
    pieces = [parts.socket_id, middle, *([] if parts.data is None else [parts.data])]
    for separator in (":", "::", "", " ", ": ", "\n", "\\n", "-", "_", ".", ",", "|", "&"):
        yield separator.join(pieces)


@_IN_SIGNED(
    "joining",
    "The signed text ends with a newline or a space.",
    "End it with its last character, with printf instead of echo in a shell.",
)
def _newline_at_the_end(parts: Parts) -> Iterator[str]:
    yield from (parts.joined() + end for end in ("\n", "\r\n", " "))


@_IN_SIGNED(
    "joining",
    "It was signed as a user's sign-in, socket_id::user::user_data, and sent as a channel's "
    "subscription.",
    "Sign socket_id:channel for a channel (authorizeChannel, authorize_channel), and only a "
    "sign-in as a user (authenticateUser, authenticate_user).",
)
def _signed_as_user(parts: Parts) -> Iterator[str]:
    if not parts.sign_in:
        yield parts._replace(sign_in=True).joined()


@_IN_SIGNED(
    "joining",
    "It was signed as a channel's subscription, socket_id:channel, and sent as a user's sign-in.",
    "Sign socket_id::user::user_data for a sign-in (authenticateUser, authenticate_user), and "
    "only a subscription as a channel (authorizeChannel, authorize_channel).",
)
def _signed_as_channel(parts: Parts) -> Iterator[str]:
    if parts.sign_in:
        if parts.channel:
            yield parts._replace(sign_in=False).joined()
            yield parts._replace(sign_in=False, data=None).joined()
        yield f"{parts.socket_id}:{parts.data}"


@_IN_SIGNED(
    "joining",
    "The whole form that the client posts was signed, or JSON with its fields.",
    "Take the values out, and sign socket_id:channel.",
)
def _form_signed(parts: Parts) -> Iterator[str]:
    fields = [("socket_id", parts.socket_id)]
    if not parts.sign_in:
        fields += [("channel_name", parts.channel)]
    for some in (fields, fields[::-1]):
        yield urlencode(some)
        yield "&".join(f"{name}={value}" for name, value in some)
        yield from serialisations(dict(some))


def _quoted(text: str) -> Iterator[str]:
    for mark in ('"', "'"):
        yield f"{mark}{text}{mark}"
    yield f" {text} "
