"""The app's secret is told by nothing that the package says: a marked secret is looked for.

The marker is planted as the secret, and put by mistake wherever else a value goes. Whatever is
said then is searched: output, log records of every logger at DEBUG, errors with their chains and
tracebacks, objects as text, the practice server's answers, saved notebooks. Found would be any
eight letters and digits in a row of the marker, or one of its two pieces as hex, base64 or
percent-encoded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import logging
import shlex
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import httpx
import nbformat
import pytest
import websockets.sync.client
from nbclient import NotebookClient
from websockets.exceptions import ConnectionClosed

from pusherkit import (
    APIError,
    AsyncClient,
    Client,
    Credentials,
    Event,
    InvalidCredentials,
    PusherAuth,
    PusherError,
    authorize_channel,
    cli,
    diagnose,
    diagnose_refusal,
    sign,
    verify,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit._terminal import Terminal
from pusherkit.events import event_body
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Sandbox, SandboxServer
from pusherkit.signing import Request, judge
from pusherkit.snippets import curl
from pusherkit.subscriber import Subscriber

ROOT = Path(__file__).parents[1]
PUSHERKIT = Path(sys.executable).with_name("pusherkit")
NOW = 1_353_088_179
PATH = "/apps/6855671/events"
BODY = b'{"name":"n","channel":"chat","data":"d"}'

# What no context has to escape; so any escaping leaves it as it is.
PIECES = ("MARKER0xSECRET7f3a", "b91cNEVERtold05d2")
MARKERS = {
    "plain": "-".join(PIECES),
    "awkward": """ /+=&%2F?#:@"'\\<>`$é """.join(PIECES),
}
SHORTEST_LEAK = 8  # characters


def base64_of(piece: str) -> Iterator[str]:
    """A text's base64 wherever it stands in longer data, as far as that does not change it."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + piece.encode()).decode()
        yield encoded[-(-before * 8 // 6) : len(encoded.rstrip("=")) - 1]


def traces(marker: str) -> tuple[frozenset[str], frozenset[str]]:
    """What gives the marker away: in lower case; and where case matters."""
    loose, exact = set(), set()
    for piece in (piece for piece in PIECES if piece in marker):
        ends = range(SHORTEST_LEAK, len(piece) + 1)
        loose |= {piece[end - SHORTEST_LEAK : end].lower() for end in ends}
        loose |= {piece.encode().hex(), "".join(f"%{byte:02x}" for byte in piece.encode())}
        exact |= set(base64_of(piece))
    return frozenset(loose), frozenset(exact)


def test_the_search_finds_each_form():
    for marker in MARKERS.values():
        assert Witness(marker).found(f"…{marker}…")
        assert Witness(marker).found(marker[3:20])
        assert Witness(marker).found(repr(marker).upper())
        assert Witness(marker).found(json.dumps({"a": marker}))
        assert Witness(marker).found(quote(marker, safe=""))
        assert Witness(marker).found("".join(f"%{byte:02X}" for byte in marker.encode()))
        assert Witness(marker).found(f"key:{marker}".encode().hex())
        for before in ("", "a", "ab", "abc"):
            encoded = base64.b64encode(f"{before}{marker}:".encode())
            assert Witness(marker).found(encoded.decode())
        assert not Witness(marker).found("MARKER0 and SECRET7")


class Witness:
    """Hears what is said, and remembers where the marker was in it."""

    def __init__(
        self,
        marker: str,
        caplog: pytest.LogCaptureFixture | None = None,
        capfd: pytest.CaptureFixture[str] | None = None,
    ) -> None:
        self._leaks: list[str] = []
        self._loose, self._exact = traces(marker)
        self._caplog = caplog
        self._capfd = capfd

    def check(self, *, sent_by: str = "") -> None:
        """Fail if the marker was anywhere. The last line of every test.

        `sent_by` is the library with which the test itself sent the marker; its log tells that.
        """
        assert self._caplog is not None
        assert self._capfd is not None
        output, errors = self._capfd.readouterr()
        self.hear("standard output", output)
        self.hear("standard error", errors)
        for record in self._caplog.records:
            if sent_by and record.name.startswith((sent_by, "httpcore")):
                continue
            self.hear(f"log {record.name}", f"{record.getMessage()} {record.args!r}")
            if record.exc_info and record.exc_info[1]:
                self.hear_error(f"log {record.name}", record.exc_info[1])
        assert self._leaks == []

    def found(self, text: str) -> bool:
        lower = text.lower()
        return any(trace in lower for trace in self._loose) or any(
            trace in text for trace in self._exact
        )

    def hear(self, where: str, said: str | bytes) -> None:
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        if self.found(text):
            self._leaks.append(f"{where}: {text[:2_000]}")

    def see(self, where: str, *things: object) -> None:
        """Hear a thing in each form in which Python or a notebook shows it."""
        for thing in things:
            self.hear(f"{where}: str", str(thing))
            self.hear(f"{where}: repr", repr(thing))
            if hasattr(thing, "_repr_html_"):
                self.hear(f"{where}: HTML", thing._repr_html_())

    @contextlib.contextmanager
    def listening(self, where: str, expected: type[BaseException]) -> Iterator[None]:
        """Hear the error that must come, and all that hangs on it."""
        try:
            yield
        except expected as error:
            self.hear_error(where, error)
        else:
            raise AssertionError(f"{where}: no error")

    @contextlib.contextmanager
    def overhearing(self, where: str) -> Iterator[None]:
        """Hear the error if one comes."""
        try:
            yield
        except Exception as error:
            self.hear_error(where, error)

    def hear_error(self, where: str, error: BaseException) -> None:
        self.hear(f"{where}: traceback", "".join(traceback.format_exception(error)))
        self.see(f"{where}: {type(error).__name__}", error, error.args)
        for name, value in vars(error).items():
            self.see(f"{where}: {type(error).__name__}.{name}", value)
        for link in {error.__cause__, error.__context__} - {None}:
            self.hear_error(where, link)


@pytest.fixture(params=MARKERS)
def marker(request: pytest.FixtureRequest) -> str:
    return MARKERS[request.param]


@pytest.fixture
def witness(
    marker: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Witness:
    """Hears output and logs besides what a test lets it hear."""
    caplog.set_level(logging.DEBUG)
    return Witness(marker, caplog, capfd)


@pytest.mark.parametrize(
    "tell",
    [
        lambda marker, witness: print(marker),
        lambda marker, witness: print(marker, file=sys.stderr),
        lambda marker, witness: subprocess.run(["echo", marker], check=True),
        lambda marker, witness: logging.getLogger("any.name").debug("to %s", [marker]),
        lambda marker, witness: logging.getLogger("any.name").debug("", exc_info=OSError(marker)),
        lambda marker, witness: witness.hear("bytes", marker.encode()),
        lambda marker, witness: witness.see("object", [marker]),
        lambda marker, witness: witness.hear_error("error", chain(marker)),
    ],
    ids=["output", "errors", "a process", "log", "a logged error", "bytes", "object", "a chain"],
)
def test_the_witness_hears(marker, witness, tell):
    tell(marker, witness)
    with pytest.raises(AssertionError):
        witness.check()


def chain(marker: str) -> BaseException:
    """An error that does not tell, of one that does, which its traceback leaves out."""
    try:
        try:
            raise OSError(marker)
        except OSError:
            raise ValueError("told nothing") from None
    except ValueError as error:
        return error


@pytest.fixture
def mine(marker: str) -> Credentials:
    """The practice app's credentials, with the marker as its secret."""
    return replace(PRACTICE_CREDENTIALS, secret=marker)


def encoded(marker: str) -> tuple[str, ...]:
    """The marker as it may stand in a URL."""
    return tuple(dict.fromkeys([quote(marker), quote(marker, safe=""), quote_plus(marker)]))


# --- credentials --------------------------------------------------------------------------------


def damaged(marker: str) -> tuple[object, ...]:
    return (
        f" {marker}",
        f"{marker}\n",
        f'"{marker}"',
        f"'{marker}",
        marker.encode(),
        [marker],
        {"secret": marker},
    )


@pytest.mark.parametrize("field", ["app_id", "key", "secret", "encryption_master_key_base64"])
def test_what_cannot_be_credentials_is_not_repeated(witness, marker, mine, field):
    for value in damaged(marker):
        with witness.listening(field, InvalidCredentials):
            replace(mine, **{field: value})
    witness.check()


@pytest.mark.parametrize("form", ["{}/events", "{} x", "{}?", "{}#", "%2F{}", "/apps/{}"])
def test_what_cannot_be_an_app_id_is_not_repeated(witness, marker, mine, form):
    with witness.listening(form, InvalidCredentials):
        replace(mine, app_id=form.format(marker))
    witness.check()


@pytest.mark.parametrize(
    "form",
    ["https://key:{}@host", "https://host/{}", "{}@host", "host:{}", "ftp://{}", "https://host?{}",
     "https://[{}", "{} x", "//{}//", "https://host#{}"],
)  # fmt: skip
def test_what_cannot_be_a_host_is_not_repeated(witness, marker, mine, form):
    with witness.listening(form, InvalidCredentials):
        replace(mine, base_url=form.format(marker))
    witness.check()


@pytest.mark.parametrize("name", ["PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET", "PUSHER_HOST"])
def test_an_environment_that_cannot_be_right_is_not_repeated(witness, marker, name):
    right = {
        "PUSHER_APP_ID": "3",
        "PUSHER_KEY": "key",
        "PUSHER_SECRET": marker,
        "PUSHER_HOST": "host",
    }
    for wrong in (f" {marker}/", f"'{marker}'", f"{marker} \n", f"/{marker} ?"):
        with witness.overhearing(name):
            Credentials.from_env(right | {name: wrong})
    for missing in ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET"):
        with witness.listening(f"{name}, no {missing}", InvalidCredentials):
            Credentials.from_env(right | {name: marker} | {missing: ""})
    witness.check()


@pytest.mark.parametrize(
    "form",
    ["{}", "{}://key:s@host/apps/3", "https://key:{}@host/app/3", "https://key:{}@host:x/apps/3",
     "https://key:{}@host:99999/apps/3", "https://key:{}@/apps/3", "https://:{}@host/apps/3",
     "https://{}:@host/apps/3", "https://key:s@host:{}/apps/3", "https://key:s@[{}/apps/3",
     "https://key:s@host/apps/{}/x", "https://key:s@host/{}", "https://key:s@host/apps/{}%2Fx",
     "https://key: {} @host/apps/3", "https://key:%22{}%22@host/apps/3", "https://[{}]/apps/3",
     "https://key:s/{}@host/apps/3", "https://key:s:{}@host:1:2/apps/3"],
)  # fmt: skip
def test_an_url_that_cannot_be_right_is_not_repeated(witness, marker, form):
    for spelling in (marker, *encoded(marker)):
        with witness.listening(form, InvalidCredentials):
            Credentials.from_url(form.format(spelling))
    witness.check()


def test_what_is_read_right_does_not_show_the_secret(witness, marker):
    environ = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "key", "PUSHER_SECRET": marker}
    witness.see("from_env", Credentials.from_env(environ))
    url = f"https://key:{quote(marker, safe='')}@host/apps/3"
    credentials = Credentials.from_url(url)
    assert credentials.secret == marker
    witness.see("from_url", credentials, [credentials], {"credentials": credentials})
    witness.check()


# --- signing, verifying, diagnosing --------------------------------------------------------------

Signed = tuple[str, str, list[tuple[str, str]], bytes]


def requests_with_the_secret(credentials: Credentials) -> Iterator[tuple[str, Signed]]:
    """Requests that hold the app's secret where it does not belong."""
    signature = sign(credentials, "POST", PATH, (), BODY, timestamp=NOW)
    params = list(signature.query)
    secret = credentials.secret
    for name, _ in params:
        wrong = [(key, secret if key == name else value) for key, value in params]
        yield name, ("POST", PATH, wrong, BODY)
        yield f"{name}, twice", ("POST", PATH, [*params, (name, secret)], BODY)
        yield f"{name}, at its end", ("POST", PATH, [*params[1:], (name, f"key:{secret}")], BODY)
    yield "a parameter", ("POST", PATH, [*params, ("secret", secret)], BODY)
    yield "a parameter's name", ("POST", PATH, [*params, (secret, "x")], BODY)
    yield "the method", (secret, PATH, params, BODY)
    for body in (secret, json.dumps({"name": secret}), json.dumps({"data": secret})):
        yield "the body", ("POST", PATH, params, body.encode())
    for spelling in (secret, *encoded(secret)):
        for path in (f"/apps/{spelling}/events", f"/{spelling}", f"{PATH}/{spelling}"):
            yield f"the path {path.replace(spelling, '…')}", ("POST", path, params, BODY)


def test_a_refused_request_is_explained_without_the_secret_in_it(witness, mine):
    for what, (method, path, params, body) in requests_with_the_secret(mine):
        with witness.listening(f"verify, {what}", PusherError):
            verify(mine, method, path, params, body, now=NOW)
        verdict = judge(mine, Request(method, path, params, body), now=NOW)
        witness.see(f"judge, {what}", verdict, *verdict.checks)
        diagnosis = diagnose(mine, method, path, params, body, now=NOW)
        witness.see(f"diagnose, {what}", diagnosis, *diagnosis.findings, *diagnosis.notes)
    witness.check()


def test_a_refusal_is_read_without_telling_the_secret(witness, mine):
    for what, (method, path, params, body) in requests_with_the_secret(mine):
        try:
            verify(mine, method, path, params, body, now=NOW)
        except PusherError as error:
            signature = sign(mine, "POST", PATH, (), BODY, timestamp=NOW)
            for own in (None, signature.canonical_string):
                witness.see(f"refusal, {what}", diagnose_refusal(str(error), canonical_string=own))
    witness.check()


def test_a_signature_shows_its_working_without_the_secret(witness, mine):
    signature = sign(mine, "POST", PATH, (("a", "b"),), BODY, timestamp=NOW)
    witness.see("sign", signature)
    with witness.listening("sign", TypeError):
        sign(mine, "POST", PATH, (), BODY, timestamp=1.5)
    witness.check()


def test_what_else_is_signed_is_refused_without_the_secret(witness, mine, marker):
    webhook = {"key": mine.key, "signature": "0" * 64}
    for wrong in (marker, f"{mine.key}:{marker}", f"{marker}:{'0' * 64}"):
        with witness.listening("verify_channel", PusherError):
            verify_channel(mine, "1.2", "private-chat", wrong)
        with witness.listening("verify_user", PusherError):
            verify_user(mine, "1.2", wrong, '{"id":"7"}')
        for name in webhook:
            with witness.listening(f"verify_webhook, {name}", PusherError):
                verify_webhook(mine, BODY, **(webhook | {name: wrong}))
    with witness.listening("channel_data", PusherError):
        verify_channel(mine, "1.2", "presence-chat", f"{mine.key}:0", marker)
    with witness.listening("user_data", PusherError):
        verify_user(mine, "1.2", f"{mine.key}:0", marker)
    with witness.listening("a webhook's body", PusherError):
        verify_webhook(mine, marker.encode(), **webhook)
    witness.see("authorize_channel", authorize_channel(mine, "1.2", "private-chat"))
    witness.check()


def test_an_encryption_master_key_is_not_told(marker, witness):
    """The marker's bytes are in it, so its base64 and its hex would be found."""
    master_key = base64.b64encode(PIECES[0].encode() + PIECES[1].encode()[:14]).decode()
    mine = replace(PRACTICE_CREDENTIALS, encryption_master_key_base64=master_key)
    channel = "private-encrypted-chat"
    witness.see("Credentials", mine, [mine], {"credentials": mine})
    witness.see("authorize_channel", authorize_channel(mine, "1.2", channel))
    for wrong in (f" {master_key}", f'"{master_key}"', master_key[:-1], master_key * 2):
        with witness.listening("a damaged master key", InvalidCredentials):
            replace(mine, encryption_master_key_base64=wrong)
        environ = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "key", "PUSHER_SECRET": "secret"}
        with witness.listening("a damaged master key", InvalidCredentials):
            Credentials.from_env(environ | {"PUSHER_ENCRYPTION_MASTER_KEY_BASE64": wrong})
    with SandboxServer(mine) as server, Client(server.credentials) as client:
        ours = server.credentials
        with Subscriber(ours, channel) as subscriber:
            witness.see("Subscriber", subscriber, vars(subscriber))
            client.trigger(channel, "n", "hello")
            assert subscriber.receive().data == "hello"
            readable = event_body(Event.of(channel, "n", "readable"))
            client.http.post(f"/apps/{ours.app_id}/events", content=readable)
            witness.see("unreadable", subscriber.receive())
            with witness.listening("a client event", PusherError):
                subscriber.trigger(channel, "client-n", "")
        with witness.listening("too large", PusherError):
            client.trigger(channel, "n", "x" * 102_400)
        with httpx.Client(trust_env=False) as http:
            url = f"{server.url}/apps/{ours.app_id}/events"
            witness.hear("refused", http.post(url, json={"channel": master_key}).text)
        witness.see("the server's log", *server.log, *server.sandbox.deliveries)
    witness.check(sent_by="httpx")


# --- the clients --------------------------------------------------------------------------------


def echo(status: int, form: str) -> Callable[[httpx.Request], httpx.Response]:
    """A server that answers with the request that it got."""

    def answer(request: httpx.Request) -> httpx.Response:
        heads = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        text = f"{request.method} {request.url}\n{heads}\n\n{request.content.decode()}"
        if form == "location":
            return httpx.Response(status, headers={"Location": str(request.url)}, request=request)
        if form == "text":
            return httpx.Response(status, text=text)
        return httpx.Response(status, json={"error": text, "code": status})

    return answer


@pytest.mark.parametrize("form", ["json", "text", "location"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 413, 418, 429, 500, 503])
def test_a_client_s_errors_do_not_hold_the_secret(witness, mine, status, form):
    transport = httpx.MockTransport(echo(status, form))
    with Client(mine, transport=transport) as client:
        with witness.listening(f"{status} {form}", APIError):
            client.trigger("chat", "n", {"a": 1})
        with witness.listening(f"{status} {form}", APIError):
            client.channels(prefix="a")
        witness.see("Client", client, client.http, client.http.auth, vars(client))

    async def ask() -> None:
        async with AsyncClient(mine, transport=transport) as client:
            witness.see("AsyncClient", client, client.http, vars(client))
            await client.trigger_batch([Event.of("chat", "n", "")])

    with witness.listening(f"{status} {form}", APIError):
        asyncio.run(ask())
    witness.check()


def test_a_signed_request_does_not_hold_the_secret(witness, mine):
    auth = PusherAuth(mine, clock=lambda: NOW)
    with httpx.Client(auth=auth, transport=httpx.MockTransport(echo(200, "text"))) as http:
        request = http.post(f"http://127.0.0.1{PATH}", content=BODY).request
    witness.see("request", auth, request, request.url, request.headers, request.extensions)
    witness.hear("request", request.url.query + request.content)
    witness.check()


def test_a_client_without_a_server_does_not_tell_the_secret(witness, mine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else can be there
        nowhere = replace(mine, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with Client(nowhere) as client, witness.listening("Client", httpx.ConnectError):
            client.trigger("chat", "n", "")
        with witness.listening("Subscriber", PusherError):
            Subscriber(nowhere, "private-chat")
    for base_url in ("non sense", "https://a b", "ftp://host"):
        with witness.listening(base_url, Exception), Client(mine, base_url=base_url) as client:
            client.channels()
    witness.check()


# --- the practice server ------------------------------------------------------------------------


def targets_with_the_secret(credentials: Credentials) -> Iterator[tuple[str, RawRequest]]:
    for what, (method, path, params, body) in requests_with_the_secret(credentials):
        target = f"{quote(path, safe='/%+')}?{urlencode(params)}".encode()
        yield what, RawRequest(method=method, target=target, body=body)
    secret = credentials.secret
    fields = {"name": "n", "channel": "chat", "data": "d"}
    wrong = [{name: secret} for name in (*fields, "socket_id", "info", "channels")]
    wrong += [{"channels": [secret]}, {"data": {"a": secret}}]
    bodies = [json.dumps(fields | field) for field in wrong] + [
        json.dumps({"batch": [fields | field]}) for field in wrong
    ]
    for body in (*bodies, secret, json.dumps(secret), json.dumps([secret]), f'{{"{secret}":'):
        for rest in ("events", "batch_events"):
            path = f"/apps/{credentials.app_id}/{rest}"
            signature = sign(credentials, "POST", path, (), body.encode(), timestamp=NOW)
            target = f"{path}?{urlencode(signature.query)}".encode()
            yield f"{rest} {body}", RawRequest(method="POST", target=target, body=body.encode())
    for spelling in encoded(secret):
        for rest in (f"channels/{spelling}", f"channels/{spelling}/users", f"x/{spelling}"):
            path = f"/apps/{credentials.app_id}/{rest}"
            signature = sign(credentials, "GET", path, (), timestamp=NOW)
            target = f"{path}?{urlencode(signature.query)}".encode()
            yield rest, RawRequest(method="GET", target=target)
    path = f"/apps/{credentials.app_id}/channels"
    for name in ("info", "filter_by_prefix"):
        signature = sign(credentials, "GET", path, ((name, secret),), timestamp=NOW)
        yield name, RawRequest(method="GET", target=f"{path}?{urlencode(signature.query)}".encode())


def test_the_practice_server_s_refusals_do_not_tell_the_secret(witness, mine):
    sandbox, terminal = Sandbox(mine), Terminal(sys.stdout)
    for what, request in targets_with_the_secret(mine):
        reply = sandbox.handle(request, now=NOW)
        if reply.status >= 400:
            witness.see(what, reply, reply.headers, sandbox.log[-1])
            witness.hear(f"{what}: body", reply.body)
            cli._print(terminal, sandbox.log[-1])
    terminal.close(10)
    witness.see("Sandbox", sandbox, sandbox.credentials, SandboxServer(mine))
    witness.check()


def test_the_practice_server_s_sockets_do_not_tell_the_secret(witness, mine):
    with (
        SandboxServer(mine, watch=lambda entry: witness.see("watch", entry)) as server,
        httpx.Client(trust_env=False) as http,
    ):
        for what, request in targets_with_the_secret(mine):
            target = request.target.decode()
            if request.method in ("GET", "POST") and target.isascii() and target.isprintable():
                reply = http.request(request.method, server.url + target, content=request.body)
                if reply.status_code >= 400:
                    witness.hear(what, f"{reply.headers} {reply.text}")
        for spelling in (quote(mine.secret, safe=""), quote_plus(mine.secret)):
            witness.hear("no WebSocket", http.get(f"{server.url}/app/{spelling}").text)
        live = server.url.replace("http", "ws", 1) + "/live"
        with websockets.sync.client.connect(live, proxy=None) as feed:
            for said in feed:
                witness.hear("the live page", said)
                if json.loads(said)["kind"] == "live":
                    break
        witness.hear("the live page", http.get(server.url).text)
        witness.see("SandboxServer", server, server.credentials)
    witness.check(sent_by="httpx")


def frames_with_the_secret(credentials: Credentials) -> Iterator[dict[str, Any] | str]:
    key, secret = credentials.key, credentials.secret
    wrong = (secret, f"{key}:{secret}", f"{secret}:{'0' * 64}")
    yield secret
    yield {"event": secret}
    yield {"event": f"client-{secret}", "channel": "private-chat", "data": secret}
    yield {"event": "pusher:subscribe", "data": {"channel": secret}}
    yield {"event": "pusher:subscribe", "data": {"channel": f"private-{secret}"}}
    for auth in wrong:
        for extra in ({}, {"channel_data": secret}, {"channel_data": {"user_id": secret}}):
            for channel in ("private-chat", "presence-chat"):
                data = {"channel": channel, "auth": auth, **extra}
                yield {"event": "pusher:subscribe", "data": data}
    yield {"event": "pusher:signin", "data": {"auth": wrong[1], "user_data": secret}}


def test_a_websocket_s_refusals_do_not_tell_the_secret(witness, mine):
    with SandboxServer(mine) as server:
        for frame in frames_with_the_secret(mine):
            with websockets.sync.client.connect(server.ws_url, proxy=None) as one:
                one.recv(timeout=5)
                one.send(frame if isinstance(frame, str) else json.dumps(frame))
                answer = json.loads(one.recv(timeout=5))
                assert answer["event"] in ("pusher:error", "pusher_internal:subscription_succeeded")
                if answer["event"] == "pusher:error":
                    witness.hear(f"{frame}", json.dumps(answer, ensure_ascii=False))
        for spelling in (quote(mine.secret, safe=""), quote_plus(mine.secret)):
            for target in (
                f"/app/{spelling}?protocol=5",  # which has an error before the close
                f"/app/{quote(mine.key)}?protocol=5&version={spelling}%20",
                f"/{spelling}?protocol=5",
            ):
                url = server.url.replace("http", "ws", 1) + target
                with websockets.sync.client.connect(url, proxy=None) as one:
                    witness.hear(target, one.recv(timeout=5))
                    with witness.listening(target, ConnectionClosed):
                        one.recv(timeout=5)
    witness.check(sent_by="websockets")


def test_a_subscriber_s_errors_do_not_tell_the_secret(witness, mine, marker):
    def fail(message: object) -> None:
        raise ValueError("mine")

    with SandboxServer(replace(mine, secret="another")) as other:
        ours = replace(other.credentials, secret=marker)
        with witness.listening("another secret", PusherError):
            Subscriber(ours, "private-chat")
        with witness.listening("another key", PusherError):
            Subscriber(replace(ours, key="another"), "chat")
    with SandboxServer(mine) as server, Client(server.credentials) as client:
        with Subscriber(server.credentials, "presence-chat", user_id="7") as subscriber:
            witness.see("Subscriber", subscriber, vars(subscriber))
            client.trigger("presence-chat", "n", "")
            witness.see("Message", subscriber.receive())
            with witness.listening("a client event", PusherError):
                subscriber.trigger("chat", "n", "")
        with witness.listening("closed", PusherError):
            subscriber.receive()
        with Subscriber(server.credentials, "private-chat", on_message=fail) as subscriber:
            client.trigger("private-chat", "n", "")
            with witness.listening("on_message", PusherError):
                subscriber.receive()
        with Subscriber(server.credentials, "private-chat", reconnect=False) as subscriber:
            server.stop()
            with witness.listening("the server stops", PusherError):
                subscriber.receive()
    witness.check()


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, mine: Credentials) -> Callable[..., int]:
    """Run a command on a text as standard input, with the app in the environment."""
    for name, value in (("APP_ID", mine.app_id), ("KEY", mine.key), ("SECRET", mine.secret)):
        monkeypatch.setenv(f"PUSHER_{name}", value)

    def run(*words: str, text: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        try:
            return cli.main(words)
        except SystemExit as ended:  # argparse's way
            return int(ended.code or 0)

    return run


def evidence_with_the_secret(credentials: Credentials) -> Iterator[str]:
    for _, (method, path, params, body) in requests_with_the_secret(credentials):
        path = quote(path, safe="/%+")
        if method == "POST":
            yield curl("http://127.0.0.1", Request(method, path, params, body))
            yield f"POST {path}?{urlencode(params)} HTTP/1.1\nHost: 127.0.0.1\n\n{body.decode()}"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_doctor_does_not_tell_the_secret(run, mine, witness, options):
    signature = sign(mine, "POST", PATH, (), BODY, timestamp=NOW)
    right = curl("http://127.0.0.1", Request("POST", PATH, signature.query, BODY))
    basic = base64.b64encode(f"{mine.key}:{mine.secret}".encode()).decode()
    with_headers = f"{right} -H 'Authorization: Basic {basic}' -u key:{shlex.quote(mine.secret)}"
    for text in (right, with_headers):
        assert run("doctor", *options, text=text) == 0
    for text in (right.replace("auth_signature=", "auth_signature=0"), right.replace('"d"', '"D"')):
        assert run("doctor", *options, text=text) in (1, 2)
    for text in evidence_with_the_secret(mine):
        assert run("doctor", *options, text=text) in (1, 2, 3)
    witness.check()


STRANGE = (
    "curl http://127.0.0.1:{}/apps/3",
    "curl http://[{}/apps/3",
    "curl http://key:{}@127.0.0.1:x/apps/3",
    "curl 'http://key:{}@127.0.0.1/apps/3",
    "curl --{} http://127.0.0.1/apps/3/events",
    "GET http://[{}/ HTTP/1.1",
    "GET {} HTTP/1.1",
    "POST /apps/3?a=%ff{} HTTP/1.1",
)


@pytest.mark.parametrize("form", STRANGE)
def test_the_doctor_does_not_repeat_a_secret_in_a_strange_place(run, marker, witness, form):
    for spelling in encoded(marker):
        run("doctor", text=form.format(spelling))
    witness.check()


@pytest.mark.parametrize("form", ["{}", "PUSHER_SECRET={}", "secret: {}", "My secret is {}."])
def test_the_doctor_does_not_repeat_what_is_no_evidence(run, marker, witness, form):
    assert run("doctor", text=form.format(marker)) == 3
    witness.check()


def test_the_doctor_does_not_repeat_a_damaged_secret(run, marker, monkeypatch, witness):
    signature = sign(Credentials(app_id="3", key="k", secret="s"), "GET", PATH, timestamp=NOW)
    text = curl("http://127.0.0.1", Request("GET", PATH, signature.query))
    for wrong in (f"'{marker}'", f" {marker}"):
        monkeypatch.setenv("PUSHER_SECRET", wrong)
        assert run("doctor", text=text) == 3
    monkeypatch.delenv("PUSHER_SECRET")
    for typed in (marker, f'"{marker}"'):
        monkeypatch.setattr("getpass.getpass", lambda prompt, typed=typed: typed)
        assert run("doctor", text=text) > 0
    witness.check()


VECTOR = {"method": "POST", "path": PATH, "body": BODY.decode(), "key": "k", "timestamp": NOW}


def test_vectors_do_not_tell_their_secret(run, marker, witness):
    vector = VECTOR | {"secret": marker}
    assert run("vectors", text=json.dumps([vector, vector | {"params": {"A": "b c"}}])) == 1
    for wrong in (
        {"secret": [marker]},
        {"secret": f" {marker}"},
        {"secret": f"'{marker}'"},
        {"timestamp": marker},
        {"method": None},
        {"params": {"auth_key": marker}},
        {"params": [marker]},
        {"body_md5": marker},
        {"canonical_string": marker},
        {"signature": marker},
        {"signature": "0" * 64},
    ):
        assert run("vectors", text=json.dumps(vector | wrong)) == 3
    for text in (f"{{{marker}", f"[{json.dumps(marker)}]", json.dumps({"secret": marker}), marker):
        assert run("vectors", text=text) == 3
    witness.check()


def test_the_sandbox_command_tells_the_secret_in_its_settings_only(witness, mine):
    process = subprocess.Popen(
        [PUSHERKIT, "sandbox", "--port=0", "--secret", mine.secret],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(7)]
    # On purpose: they are for a .env file, of an app that exists on this machine only.
    assert shlex.split(lines.pop(3)) == [f"PUSHER_SECRET={mine.secret}"]
    url = lines[3].removeprefix("PUSHER_HOST=").strip()
    with httpx.Client(trust_env=False) as http:
        for _, request in targets_with_the_secret(mine):
            target = request.target.decode()
            if request.method in ("GET", "POST") and target.isascii() and target.isprintable():
                http.request(request.method, url + target, content=request.body)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    refused = [line for line in output.splitlines() if "  200  " not in line]
    witness.hear("pusherkit sandbox", "".join(lines) + "\n".join(refused))
    witness.check(sent_by="httpx")


@pytest.mark.parametrize("form", ["'{}'", " {}", "{}\n"])
def test_the_sandbox_command_does_not_repeat_damaged_settings(run, marker, witness, form):
    for option in ("--secret", "--key", "--app-id"):
        assert run("sandbox", "--port=0", option, form.format(marker)) == 1
    assert run("sandbox", "--port=0", "--settings-for=node", "--secret", marker) == 1
    witness.check()


# --- the lessons --------------------------------------------------------------------------------

each_notebook = pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)


@pytest.mark.slow
@pytest.mark.parametrize("marker", ["awkward"], indirect=True)
@each_notebook
def test_a_lesson_that_was_run_does_not_hold_the_secret(run, witness, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # progress is kept in the current folder
    monkeypatch.setenv("PUSHER_HOST", "http://127.0.0.1:9")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    saved = tmp_path / path.name
    nbformat.write(notebook, saved)
    for file in tmp_path.iterdir():
        witness.hear(file.name, file.read_bytes())
    assert "widgets" in notebook.metadata
    witness.check()
