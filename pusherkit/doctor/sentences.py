"""The sentences with which servers and libraries say no, and what each of them means. Pure.

They are those of the practice server, Pusher (old wordings too), Sockudo, soketi, Reverb, Poxa,
laravel-websockets and the SDKs. Each is sought in the letters of a text (wrappings.letters), so
quotes, case and line breaks don't matter.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pusherkit.doctor.wrappings import letters

_CONTENT = "The signature was fine; the server refused what was in the request. "
_SUBSCRIPTION = "This is about a subscription, whose auth your own server signs. "
_SOCKET = "This is about a WebSocket, and no signature is checked when one is opened. "
_CLUSTER = (
    "Check the host (at Pusher the cluster: api-eu.pusher.com, ws-eu.pusher.com), which app's key "
    "your settings name, and that key and secret aren't swapped."
)

_Meanings = tuple[tuple[str, tuple[str, ...]], ...]
_NAMED: _Meanings = (
    # Each meaning, and the sentences that have it. Where two begin at the same place, the first
    # row counts. These messages name the rule.
    (
        "A subscription or a webhook must be signed with the app's secret, and over exactly the "
        "text that this message quotes. Compare it with yours, byte by byte.",
        ("expected hmac sha256 hex digest of",),
    ),
    (
        _SUBSCRIPTION + "Send it as KEY:SIGNATURE, with the app key, a colon and 64 hex digits. An "
        "app key that is missing before the colon is often a setting that is empty.",
        (
            "auth must have the format",
            "should be of format 'key:signature'",
            "auth value for subscription",
        ),
    ),
    (
        _SUBSCRIPTION
        + "No auth came with it. Your endpoint must answer with auth (KEY:SIGNATURE), "
        "and the client must pass it on.",
        (
            "channel requires authentication",
            "authentication signature required for this channel",
            "auth info required to subscribe",
        ),
    ),
    (
        _SUBSCRIPTION + "The client has nothing that asks your server for auth. Give it the "
        "endpoint (authEndpoint, channelAuthorization) or an authorizer before it connects.",
        ("no authorizer has been set", "failed to get authorization data"),
    ),
    (
        _SUBSCRIPTION + "What stands before the colon must be the app key, and it's JSON: the "
        "endpoint's answer was encoded twice. The SDK's answer is JSON already, so return it as "
        "it is.",
        ('invalid key in subscription auth data: \'{"auth"',),
    ),
    (
        _SUBSCRIPTION + "It begins with the key of another app, or with a placeholder. Check the "
        "app key that your server signs with, and that it's the one the client connects with.",
        ("invalid key in subscription auth data", "invalid key in user auth data", "Invalid key"),
    ),
    (
        "The webhook comes from another app. Check which app's key and secret you verify it with.",
        ("the webhook is of another app",),
    ),
    (
        "The webhook's signature doesn't fit its body. Verify the raw bytes of the body, before "
        "any parsing, with the secret of the app that sent it.",
        (
            "x-pusher-signature: expected the hmac",
            "received webhook with invalid signature",
            "invalid webhook",
            "webhook signature",
        ),
    ),
    (
        "A webhook is verified with the raw bytes of its body. Take them before anything decodes "
        "or parses them.",
        ("body: expected the request's raw bytes",),
    ),
    (
        "What proves who sent this is missing: a header, or a field of a subscription.",
        ("nothing proves who sent this",),
    ),
    (
        "verify() got something else than what arrived. Pass everything on exactly as it came: "
        "texts as text, the body as raw bytes, the parameters as parse_qsl() gives them.",
        (
            "body: expected the raw bytes that arrived",
            "params: expected pairs of name and value",
            "expected text (str), got",
        ),
    ),
    (
        "No query arrived, or one that can't be read: no auth_key, no auth_signature. Either it "
        "wasn't sent (the parameters belong into the URL, not into a header or the body), or a "
        "proxy dropped it: nginx does, where proxy_pass has a path without $is_args$args.",
        ("missing authentication query parameters", "invalid authentication query parameters"),
    ),
    (
        f"The app key belongs to another cluster, or the cluster isn't set. {_CLUSTER}",
        (
            "not in this cluster",
            "does not exist in this cluster",
            "forget to specify the cluster",
            "app by key",
            "connecting to the wrong cluster",
        ),
    ),
    (
        f"The server doesn't know this app key. {_CLUSTER}",
        (
            "unknown auth_key",
            "does not exist here",
            "application key not found",
            "invalid app key",
            "could not find app key",
            "could not find app with key",
        ),
    ),
    (
        f"{_SOCKET}The server doesn't know the app key in the URL, /app/KEY. Check which server "
        "answers there (host, port, cluster), and which key it has in its settings.",
        ("application does not exist", "app does not exist"),
    ),
    (
        "The app key is of another app than the id in the path, /apps/{app_id}. Take app id, app "
        "key and secret from the same app.",
        ("authenticated app does not match", "but invalid for app"),
    ),
    (
        "The path names an app that this server doesn't have. Put the app id, not the app key, "
        "after /apps/, and check the host: the server's own settings must name this app id.",
        (
            "unknown app id",
            "no matching application for id",
            "application id not provided",
            "no application found",
            "could not find app id",
        ),
    ),
    (
        "The app is disabled in the server's settings or in the dashboard.",
        ("the app is not enabled", "application disabled", "app is disabled", "app disabled"),
    ),
    (
        f"{_SOCKET}This app takes TLS only: connect with wss:// (forceTLS).",
        ("only accepts ssl connections",),
    ),
    (
        "auth_timestamp is missing. Add it to the parameters that you sign, in whole Unix "
        "seconds, and send it.",
        ("missing parameter: auth_timestamp", "auth_timestamp is missing"),
    ),
    (
        "auth_timestamp was sent, but it isn't a whole number of Unix seconds. Send digits only: "
        "no fraction, no date.",
        ("timestamp required: auth_timestamp must be", "invalid auth_timestamp format"),
    ),
    (
        "auth_timestamp is missing, or it isn't a whole number of Unix seconds.",
        ("timestamp required",),
    ),
    (
        "The timestamp is over 600 s from the server's clock. Check your clock, and that the "
        "timestamp is in seconds. A request that was signed earlier, such as a sample copied from "
        "a page or one sent again, must be signed again.",
        ("timestamp expired", "too far in the future"),
    ),
    (
        "body_md5 was sent with a request that has no body. Leave it out of the parameters, and "
        "out of what you sign.",
        ("body_md5 must not be present",),
    ),
    (
        "The body that arrived isn't the body that was hashed. Serialise once, then hash and "
        "send those very bytes.",
        ("invalid body_md5", "body_md5 mismatch"),
    ),
    (
        "body_md5 is missing. A request with a body must sign and send the body's hash.",
        ("missing parameter: body_md5", "body_md5 is required"),
    ),
    (
        "auth_version must be there, and it must be 1.0.",
        ("version required", "version not supported", "missing parameter: auth_version"),
    ),
    (
        _CONTENT + "An event needs a name, and it must be text. In the body it's called name, not "
        "event, and a library's trigger() takes channel, name, data in this order.",
        (
            "expected name parameter to be a string",
            "the name field is required",
            "event name is required",
            "missing required parameter: name",
        ),
    ),
    (
        _CONTENT + "A field is missing from the JSON body. An event needs a name, data, and a "
        "channel or channels.",
        (
            "missing required parameter",
            "the data field is required",
            "the channel field is required",
            "the channels field is required",
            "the batch field is required",
            "event must have channel(s), name, and data",
            "request must contain 'channels'",
            "missing 'channels' or 'channel' field",
            "the received data is incorrect",
        ),
    ),
    (
        "A parameter is missing from the query. Add it to the parameters that you sign, and send "
        "it.",
        ("missing parameter: auth_", "missing parameter:"),
    ),
    (
        "A parameter was sent more than once. Send it once.",
        ("repeated parameter:", "times; send it once"),
    ),
    (
        "The server has no such path. Publish with POST to /apps/{app_id}/events or "
        "/apps/{app_id}/batch_events.",
        ("no such path", "unknown path:"),
    ),
    (
        "The path is right, and the method isn't. Publishing takes POST, asking takes GET.",
        ("is not for this path",),
    ),
    (
        "Client events are off for this app. Switch them on: in the dashboard (Settings), or in "
        "the server's settings of the app.",
        (
            "you must enable this feature in the settings",
            "does not have client messaging enabled",
            "client events are not enabled",
        ),
    ),
    (
        "The rate limit was reached. Wait as long as the answer says, then sign again and send.",
        (
            "too many requests",
            "client event rejected",
            "rate limit exceeded",
            "client event rate limit",
            "rate limit for sending client events",
        ),
    ),
    (
        "The URL or the body isn't UTF-8. Encode text as UTF-8 before you sign and send it.",
        ("is not utf-8", "half of a surrogate pair"),
    ),
    (
        "The query has too many parameters. Move what you can into the body.",
        ("the query has over",),
    ),
    (
        _CONTENT + "data must be a string; if it's an object, encode it as JSON first.",
        (
            "data: expected text that holds JSON",
            "data: cannot be encoded",
            "the data field must be a string",
            "the data must be a string",
            "expected data parameter to be a string",
        ),
    ),
    (
        "An event on an encrypted channel goes to that channel alone: each has a key of its own. "
        "Send it once for each channel.",
        (
            "and such an event goes to one channel",
            "trigger to multiple channels when using encrypted channels",
        ),
    ),
    (
        "Encrypted channels need the encryption master key, 32 bytes in base64, in everything of "
        "yours that publishes or authorizes: encryption_master_key_base64. Only your servers have "
        "it; a client gets its channel's shared_secret beside auth.",
        (
            "encryption_master_key_base64: expected",
            "cannot generate shared_secret",
            "set encryptionmasterkey before",
            "no master key was provided",
            "no shared_secret key in auth payload",
            "expected a shared_secret",
        ),
    ),
    (
        "An encrypted event couldn't be opened: it was published without encryption, or with "
        "another key than the client got. Give the publisher and the authorization endpoint the "
        "same master key.",
        (
            "encrypted data: ",
            "failed to decrypt an event",
            "failed to decrypt event",
            "unexpected format for encrypted event",
        ),
    ),
    (
        "Client events don't go to encrypted channels. Send it to your server, which publishes it.",
        (
            "client events are not supported on encrypted",
            "not currently supported for encrypted channels",
            "an encrypted channel carries no client events",
        ),
    ),
    (
        _CONTENT + "An event goes to 1 to 100 channels, named in channel or in channels.",
        (
            "channels: expected",
            "per event (api reference)",
            "channel and channels were both",
        ),
    ),
    (
        _CONTENT + "A batch has 1 to 10 events, each with one channel of its own.",
        ("batch: expected", "batch: event", "per batch (api reference)"),
    ),
    (
        "This isn't a channel's name. It may have 200 characters: letters, digits and _ - = @ , "
        ". ; only.",
        (
            "channel: expected",
            "channel: the name has",
            "invalid channel name",
            "invalid channel:",
            "channel name invalid",
            "channel name contains invalid",
            "the channel name is not allowed",
            "the channel name is longer",
            "channel name exceeds",
            "channel too long",
            "should be a valid channel",
        ),
    ),
    (
        _CONTENT + "An event's name is text of 1 to 200 characters, and doesn't begin with "
        "pusher: or pusher_internal:.",
        (
            "name: expected the event",
            "that the official sdks",
            "the protocol's own events",
            "event name is too long",
            "event name exceeds",
            "event_name too long",
            "invalid event name",
        ),
    ),
    (
        "A socket_id is what the server gave to a connection, such as 123.456. Take it from the "
        "connection that shall not get the event.",
        ("socket_id: expected", "invalid socket_id", "invalid socket id"),
    ),
    (
        "info asks for subscription_count, user_count (of presence channels) or cache (of one "
        "cache channel).",
        (
            "info: expected",
            "user_count may only be requested",
            "cache may only be requested",
            "unless the channel is a presence channel",
            "in order to fetch user_count",
        ),
    ),
    (
        "Only presence channels know their users. Their names begin with presence-.",
        (
            "users may only be requested",
            "must be a presence channel",
            "invalid presence channel",
        ),
    ),
    (
        _CONTENT + "The body must be one JSON object.",
        ("body: expected a json object", "body: not json", "nested too deeply"),
    ),
    (
        'A presence channel needs channel_data: JSON text such as {"user_id": "7"}, signed and '
        "sent unchanged. An authorizer of your own must pass it on beside auth.",
        (
            "channel_data: expected",
            "expected 'channel_data' field",
            "missing channel_data",
            "invalid channel_data",
            "invalid json in channel_data",
            "missing user_id in",
            "missing presence data",
            "invalid presence data",
        ),
    ),
    (
        "The member's data is too large. Pusher takes 1 KB of channel_data, most other servers 2 "
        "to 10 KB.",
        ("maximum size for a channel member", "presence member data size"),
    ),
    (
        "The server is full: of members in this channel, of channels on this connection, or of "
        "connections.",
        (
            "is full: it has",
            "one connection can have",
            "over capacity",
            "maximum members per presence channel",
            "presence channel has reached the maximum",
        ),
    ),
    (
        "This connection is subscribed to the channel already. Subscribe once, or unsubscribe "
        "first.",
        ("existing subscription to",),
    ),
    (
        "The messages to a user, #server-to-user-ID, are for connections on which that user is "
        "signed in. Sign in first (pusher.signin()), and subscribe once that has succeeded; "
        "pusher-js does both.",
        ("are a signed-in user's own messages",),
    ),
    (
        "A connection is one user's. To be another user, connect again and sign in there.",
        ("and a connection has one user",),
    ),
    (
        "The user's watchlist has over 100 users; the first 100 count.",
        ("watchlist limit exceeded",),
    ),
    (
        "This connection isn't subscribed to the channel, so there is nothing to leave. Leave it "
        "once, by the name that it was subscribed with.",
        ("no current subscription to", "unsubscribing needs"),
    ),
    (
        "This server wants every connection to sign its user in (Authorized Connections, "
        "enableUserAuthentication), and this one didn't within its time. Call pusher.signin(), "
        "with an endpoint that answers auth and user_data; or switch the rule off for the app.",
        ("connection not authorized within timeout",),
    ),
    (
        "Signing in needs auth and user_data, both as your server gave them: auth is "
        "KEY:SIGNATURE over socket_id::user::user_data, and user_data is JSON text with an id.",
        (
            "user_data: expected",
            "user_data: an id has",
            "signing in needs auth",
            "signing in failed",
            "connection not authorized for signin",
            "connection not authorized.",
            'user data must contain the "id" field',
            "missing 'id' field in user_data",
            "invalid user_data json",
            "user_data has no id",
            "user_data doesn't contain an id",
            "error during signin",
        ),
    ),
    (
        _SUBSCRIPTION + "The page's origin isn't among those that the server allows for this app "
        "(allowed_origins); no signature was checked.",
        ("origin not allowed", "the origin is not allowed"),
    ),
    (
        _SUBSCRIPTION + "The server's auth for this channel doesn't fit: it must be KEY:SIGNATURE, "
        "signed with the app's secret, over socket_id:channel (then :channel_data for presence "
        "channels), with the socket_id of this very connection and the channel's whole name.",
        ("connection is unauthorized",),
    ),
    (
        "Your own endpoint refused, or didn't answer, before any server saw an auth. Look at its "
        "log: 403 is its own no, 404 or 405 a wrong path, 419 a missing CSRF token, 401 a user "
        "who isn't signed in, 0 a request that the browser stopped (CORS).",
        (
            "unable to retrieve auth string",
            "info from your auth endpoint",
            "no auth string",
            "authorizationfailureexception",
        ),
    ),
    (
        "Your own endpoint's answer isn't JSON, so it holds no auth: a page of HTML, a warning "
        "before the JSON, or nothing. Open the answer in the browser's network view.",
        ("endpoint was invalid, yet status code was 200", "parse response from authorizer"),
    ),
    (
        "The app was asked to end this user's connections, and it did.",
        ("you got disconnected by the app",),
    ),
    (
        "Client events are for private and presence channels that you are subscribed to.",
        (
            "client events go to a channel",
            "client events need a private",
            "client events can only be sent",
            "not a member of the specified channel",
            "client event error",
        ),
    ),
    (
        f"{_SOCKET}Its URL needs a protocol version that the server speaks, such as ?protocol=7.",
        (
            "no protocol version supplied",
            "unsupported protocol version",
            "invalid version string format",
        ),
    ),
    (
        f"{_SOCKET}The path isn't known. It's /app/KEY.",
        ("path not found. subscribers connect",),
    ),
    (
        "The practice server is for this machine's own names and pages. Reach it at "
        "http://127.0.0.1 or http://localhost, or start it with --allow-host or --allow-origin.",
        ("doesn't answer under the name", "may not use this practice server"),
    ),
    (
        "The frame isn't one that the server knows: a JSON object with a text called event.",
        (
            "expected a json object with a text",
            "unknown event",
            "binary frames are not supported",
            "invalid message format",
            "missing parameter: data.channel",
        ),
    ),
)

SAYS_NO = (
    "the secret authentication failed",
    "authentication signature invalid",
    "invalid api signature",
    "invalid auth signature provided",
    "authentication failed",
    "authentication error",
    "401 unauthorized",
    "unexpected status code 401",
    "status code 401",
    "status code: 401",
    "status: 401",
    "http/1.1 401",
    "http/2 401",
    "pusher error: 401",
    "pusher error: unauthorized",
    "invalid signature",
    "not authorized",
    "401 authorization required",
    '"error":"unauthorized"',
    '"error": "unauthorized"',
)
"""These only say no. Some of them blame the secret, whatever the cause."""

SIGNATURE_ONLY = (
    # soketi, Reverb, laravel-websockets: read in their sources and tried.
    "the secret authentication failed",
    "authentication signature invalid",
    "invalid auth signature provided",
)
"""Those of servers that check the signature and nothing else: no clock, no version, no key."""

_CODES = {  # of Pusher's WebSocket protocol 7, where no sentence is known
    "4000": f"{_SOCKET}The server wants TLS: connect with wss:// (forceTLS).",
    "4001": f"{_SOCKET}The server doesn't know the app key in the URL, /app/KEY. {_CLUSTER}",
    "4003": f"{_SOCKET}The app is disabled.",
    "4004": f"{_SOCKET}The app has as many connections as its plan or its settings allow.",
    "4005": f"{_SOCKET}The path isn't known. It's /app/KEY.",
    "4006": f"{_SOCKET}The client's version in the URL cannot be read.",
    "4007": f"{_SOCKET}The protocol version isn't supported. Ask for ?protocol=7.",
    "4008": f"{_SOCKET}The protocol version is missing. Ask for ?protocol=7.",
    "4009": _SUBSCRIPTION
    + "The connection isn't authorized: the auth of a channel doesn't fit (secret, socket_id, "
    "channel's whole name, channel_data), its user didn't sign in in time, or the page's origin "
    "isn't allowed.",
    "4100": f"{_SOCKET}The server is over its capacity. Come back after a second or more.",
    "4200": f"{_SOCKET}The server asks you to connect again at once; Sockudo also closes like "
    "this where an auth isn't valid, and Reverb where a frame makes no sense.",
    "4201": f"{_SOCKET}The client didn't answer a ping in time. Look at what blocks it: a tab that "
    "sleeps, a proxy that holds frames back.",
    "4202": f"{_SOCKET}Nothing came from the client for a long time.",
    "4300": "The channel's name can't be one, or the server takes no such subscription.",
    "4301": "A client event was turned away: too many of them in a second, or they are off for "
    "this app.",
    "4302": "The user's watchlist has over 100 users; the first 100 count.",
}
_STATUSES = {
    "400": "400: the server couldn't use the request, most often for what its body holds.",
    "403": "403: the app is disabled, its quota is used up, or a firewall in front says no.",
    "422": "422: the body lacks a field, or one has the wrong type. data must be a string.",
    "429": "429: too many requests. Wait as long as Retry-After says, then sign again and send.",
}
_NO_REASON = (
    " The reason is in the answer's body, which some libraries don't print: look at err.body in "
    "Node, the exception's message in Python, getResponse()->getBody() in PHP."
)
# "Unexpected status code 400", "Status Code: 400", "Unknown error (status code 400)", HTTP/1.1 400
_STATUS = re.compile(r"(?:statuscode:?|http/[12](?:\.[01])?|\[status\]=>)(400|403|422|429)(?!\d)")
_CODE = re.compile(
    r"(?:code|status)[\])]?(?:=>|[:=])?(4[0-3]\d\d)(?!\d)|\((4[0-3]\d\d)\)|(?:closed|closewith)(4[0-3]\d\d)"
)

_LETTERS_NAMED = tuple((said, tuple(map(letters, words))) for said, words in _NAMED)
_LETTERS_NO = tuple(map(letters, SAYS_NO))
_LETTERS_ONLY = tuple(map(letters, SIGNATURE_ONLY))


class Meaning(NamedTuple):
    """What a text says, and where in its letters."""

    at: int
    said: str


def meaning_in(said: str) -> Meaning | None:
    """What the first known sentence in a text means; None where there is none.

    `said` is letters(text).
    """
    found = [
        Meaning(match.start(), meaning)
        for pattern, meaning in _BY_PATTERN
        if (match := pattern.search(said))
    ]
    for meaning, words in _LETTERS_NAMED:
        places = [at for at in map(said.find, words) if at >= 0]
        if places:
            found.append(Meaning(min(places), meaning))
    return min(found, key=lambda one: one.at, default=None)


def vaguely_said(said: str) -> str:
    """For want of a sentence, what a code of the WebSocket protocol means, or a bare status; ""."""
    if (code := _CODE.search(said)) and (number := code[1] or code[2] or code[3]) in _CODES:
        return _CODES[number]
    if any(words in said for words in ("subscription_error", "autherror")):
        return _CODES["4009"]
    if status := _STATUS.search(said):
        return _STATUSES[status[1]] + _NO_REASON
    return ""


def refusal_at(said: str) -> int:
    """Where the first refusal of a text begins, by its sentence; -1 where there is none."""
    named = meaning_in(said)
    places = [said.find(STRING_LETTERS), named.at if named else -1]
    return min((at for at in places if at >= 0), default=-1)


STRING_LETTERS = "hmacsha256hex("
"""Before the canonical string in Pusher's refusal."""
DIGEST_LETTERS = "expectedhmacsha256hexdigestof"
"""Before the text of a subscription in Pusher's refusal."""


_BY_PATTERN = (  # sentences with a name in their middle
    (
        re.compile(
            r"app(?:key|bykey)(?:undefined|null|none|app_key|api_key|your\w{0,20})(?:not|does|\.)"
        ),
        f"{_SOCKET}The client's app key isn't set: a placeholder, or an empty setting, was sent in "
        "its place. A page built earlier keeps what its environment had then; build it again.",
    ),
    (
        re.compile(r"app(?:key|bykey)\d{5,8}(?:notin|does|\.)"),
        f"{_SOCKET}Where the app key belongs is a short number, the form of an app id. A client is "
        "made with the app key, which at Pusher has 20 hex digits.",
    ),
    (
        re.compile(r"appkey[^:]{1,120}?doesnotexist\."),  # soketi
        f"{_SOCKET}The server doesn't know the app key in the URL, /app/KEY. {_CLUSTER}",
    ),
    (
        re.compile(r"theapp[^:]{1,120}?couldnotbefound"),  # soketi
        "The path names an app that this server doesn't have. Put the app id, not the app key, "
        "after /apps/, and check the host: the server's own settings must name this app id.",
    ),
)


def says_no(said: str) -> int:
    """Where a text says no, and no more than that; -1 where it doesn't."""
    return min((at for at in map(said.find, _LETTERS_NO) if at >= 0), default=-1)


def checks_the_signature_only(said: str) -> bool:
    """Whether a text is from a server that knows no other rule than the signature."""
    return any(words in said for words in _LETTERS_ONLY)
