"""The attackers: a process of its own that does to a practice server what it must bear.

It prints a line when it has begun, and at the end what came of it, as JSON.

One function is one kind of attack and plays one round of it, over one connection: it connects,
does its worst, and returns what it got, a word for the table ("200", "closed", "held"). ATTACKS
says how many of its rounds run beside each other. To add a kind, write a function and a line there.

Loopback only. Every round ends by itself or after ROUND_SECONDS, whatever the server does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlencode

from pusherkit import Credentials, authorize_channel
from pusherkit.sandbox import PRACTICE_CREDENTIALS
from pusherkit.signing import sign

HOST = "127.0.0.1"
ROUND_SECONDS = 10.0  # until a round that the server leaves hanging is given up
HOLD_SECONDS = 4.0  # for which those hold on who do nothing
RECEIVE_BYTES = 16_384  # of the system's buffer for one connection
NICENESS = 5  # the server and those who measure it come first, where there's too little processor
OPEN_FILES = 2_000  # connections of all attackers together, and some
STEADY = "steady"  # the publisher's channel: attackers listen there, but never publish
EVENTS = f"/apps/{PRACTICE_CREDENTIALS.app_id}/events"
UPGRADE_PATH = f"/app/{PRACTICE_CREDENTIALS.key}?protocol=7"
MEGABYTE = 1_000_000

# Opcodes of WebSocket frames (RFC 6455, section 5.2).
CONTINUATION, TEXT, BINARY, CLOSE, PING = 0x0, 0x1, 0x2, 0x8, 0x9


# --- what they hold in their hands ----------------------------------------------------------------


class Wire:
    """One connection to the server: raw bytes out, and what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def status(self) -> str:
        """The status of the next answer."""
        return _status(await self.reader.readuntil(b"\r\n\r\n")) or "nonsense"

    async def upgrade(self, path: str = UPGRADE_PATH, *headers: str, host: str = HOST) -> str:
        lines = (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
        )
        await self.send(request("GET", path, b"", *lines, *headers, host=host))
        return await self.status()

    async def greeting(self) -> str:
        """Upgrade, and return the socket_id."""
        if (status := await self.upgrade()) != "101":
            raise ConnectionAbortedError(status)
        return json.loads((await self.frame())["data"])["socket_id"]

    async def frame(self) -> dict[str, Any]:
        """The next frame from the server, decoded."""
        first, length = await self.reader.readexactly(2)
        if length >= 126:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
        payload = await self.reader.readexactly(length)
        if first & 0x0F == CLOSE:
            raise ConnectionAbortedError(str(int.from_bytes(payload[:2])))
        return json.loads(payload)

    async def say(self, event: str, **fields: object) -> None:
        await self.send(frame(json.dumps({"event": event, **fields}).encode()))

    async def hold(self, seconds: float = HOLD_SECONDS) -> str:
        """Read whatever comes until the server hangs up, or the time is over."""
        answer = b""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while data := await self.reader.read(65_536):
                    answer = answer or data
                return _status(answer) or "closed"
        return _status(answer) or "held"

    def stop_reading(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Be gone without a goodbye: the system sends a RST."""
        own = self._writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.transport.abort()


def _status(answer: bytes) -> str:
    """The status that an answer begins with; empty where it's no HTTP."""
    words = answer.split(b" ", 2)
    return words[1].decode() if words[0].startswith(b"HTTP/1.") and words[1].isdigit() else ""


def request(method: str, target: str, body: bytes, *headers: str, host: str = HOST) -> bytes:
    """An HTTP request with its body."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def signed(body: bytes, *headers: str, host: str = HOST, secret: str = "") -> bytes:
    """A POST to /events, signed; with another `secret`, signed wrongly."""
    credentials = Credentials(
        app_id=PRACTICE_CREDENTIALS.app_id,
        key=PRACTICE_CREDENTIALS.key,
        secret=secret or PRACTICE_CREDENTIALS.secret,
    )
    signature = sign(credentials, "POST", EVENTS, (), body, timestamp=int(time.time()))
    return request("POST", f"{EVENTS}?{urlencode(signature.query)}", body, *headers, host=host)


def event(channel: str, data: str = "") -> bytes:
    return json.dumps({"name": "attack", "channel": channel, "data": data}).encode()


def frame(payload: bytes, opcode: int = TEXT, *, end: bool = True) -> bytes:
    """A client's frame. It must mask; with zeros the text stays as it is (RFC 6455, 5.3)."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = bytes([0x80 | 126]) + size.to_bytes(2)
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8)
    return bytes([end << 7 | opcode]) + length + bytes(4) + payload


# --- texts that look like the secret --------------------------------------------------------------

SECRET = PRACTICE_CREDENTIALS.secret
NEAR_CHANNELS = (
    "practice-test-cases-1",
    "practice-react-state-1",
    "practice-test-practice-test",
    "practice-chat",
)


def near_the_secret(random: Random, size: int) -> str:
    """Up to some `size` characters that begin like the secret, or like a spelling of it."""
    pieces = random.choice(
        (
            ["\\"],
            ["%", "%2", "%25"],
            ["practi", "ecarit", "%25"],
            [SECRET[:-1]],
            ["".join(f"%{ord(letter):02x}" for letter in SECRET[:-1])],
            ["".join(f"\\u{ord(letter):04x}" for letter in SECRET[:-1])],
            [SECRET[:length] for length in range(1, len(SECRET))],
        )
    )
    text = ""
    while len(text) < size:
        text += random.choice(pieces) * random.choice((1, 2, 50))
    return text[:size]


# --- the attacks: texts near the secret -----------------------------------------------------------


async def near_secret_events(wire: Wire, random: Random) -> str:
    channel = random.choice((*NEAR_CHANNELS, ""))
    letters = "".join(c for c in near_the_secret(random, 150) if c.isalnum() or c == "-")
    await wire.send(signed(event(channel or f"practice-{letters}", near_the_secret(random, 500))))
    return await wire.status()


async def near_secret_paths(wire: Wire, random: Random) -> str:
    count = random.choice((5, 50, 500, 5_000))
    await wire.send(request("GET", f"/practi{'ecarit' * count}%25", b""))
    return await wire.status()


async def near_secret_frames(wire: Wire, random: Random) -> str:
    await wire.greeting()
    long = random.choice(("\\" * 60_000, near_the_secret(random, 60_000)))
    data = {"channel": "presence-practice-test-1", "auth": "practice-key:x", "channel_data": "{}"}
    data[random.choice(("channel", "auth", "channel_data"))] = long
    await wire.say("pusher:subscribe", data=data)
    return (await wire.frame())["event"]


# --- foreign names --------------------------------------------------------------------------------

FOREIGN_HOSTS = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::2]")


async def foreign_hosts(wire: Wire, random: Random) -> str:
    """What a page sends whose own name was pointed at 127.0.0.1 after it had loaded."""
    host = random.choice(FOREIGN_HOSTS)
    match random.randrange(4):
        case 0:
            return await wire.upgrade(host=host)
        case 1:
            return await wire.upgrade("/live", host=host)
        case 2:
            await wire.send(request("GET", "/", b"", host=host))
        case 3:
            await wire.send(signed(event("rebound"), host=host))
    return await wire.status()


async def foreign_origins(wire: Wire, random: Random) -> str:
    """What a page of another origin sends; it may name the right host."""
    origin = random.choice((*(f"http://{host}" for host in FOREIGN_HOSTS), "null", "file://"))
    return await wire.upgrade(random.choice((UPGRADE_PATH, "/live")), f"Origin: {origin}")


# --- what never ends ------------------------------------------------------------------------------


async def unfinished_bodies(wire: Wire, random: Random) -> str:
    """60 MB are announced, and nearly all of them come, as fast as they are taken."""
    await wire.send(request("POST", EVENTS, b"", f"Content-Length: {60 * MEGABYTE}"))
    for _ in range(59):
        await wire.send(b"x" * MEGABYTE)
    return await wire.hold()


async def dribbled_bodies(wire: Wire, random: Random) -> str:
    """A body that is announced, and comes a few bytes at a time."""
    size = random.choice((1_000, 5 * MEGABYTE, 60 * MEGABYTE))
    await wire.send(request("POST", EVENTS, b"", f"Content-Length: {size}"))
    for _ in range(20):
        await wire.send(b"{")
        if (answer := await wire.hold(HOLD_SECONDS / 20)) != "held":
            return answer
    return "held"


async def endless_chunks(wire: Wire, random: Random) -> str:
    """A chunked body that has no end: it stops after 50 MB, mid-chunk."""
    await wire.send(request("POST", EVENTS, b"", "Transfer-Encoding: chunked"))
    size = random.choice((10, 65_536))
    chunk = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"
    for _ in range(50):
        await wire.send(chunk * (MEGABYTE // size if size > 10 else 2_000))
    await wire.send(b"ffffff\r\nx")
    return await wire.hold()


async def half_heads(wire: Wire, random: Random) -> str:
    head = request("GET", "/nowhere", b"", "X-Padding: " + "x" * 500)
    await wire.send(head[: random.randrange(1, len(head) - 2)])
    return await wire.hold()


async def idle(wire: Wire, random: Random) -> str:
    return await wire.hold()


async def slow_readers(wire: Wire, random: Random) -> str:
    """Hundreds of requests in a row on one connection; the answers stay where they are."""
    wire.stop_reading()
    page = request("GET", random.choice(("/", "/nowhere")), b"")
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_SECONDS):
            await wire.send(page * 300)
    await asyncio.sleep(HOLD_SECONDS / 2)
    return "held"


async def unread_live_pages(wire: Wire, random: Random) -> str:
    """The live page's feed of everything, opened and never read."""
    status = await wire.upgrade("/live")
    wire.stop_reading()
    await asyncio.sleep(HOLD_SECONDS)
    return status


async def stalled_subscribers(wire: Wire, random: Random) -> str:
    await wire.greeting()
    for channel in (STEADY, "large"):
        await wire.say("pusher:subscribe", data={"channel": channel})
    wire.stop_reading()
    await asyncio.sleep(HOLD_SECONDS)
    return "held"


# --- requests that take work ----------------------------------------------------------------------


async def large_events(wire: Wire, random: Random) -> str:
    await wire.send(signed(event("large", "x" * random.randrange(50_000, 100_000))))
    return await wire.status()


async def unsigned_arrays(wire: Wire, random: Random) -> str:
    size = random.randrange(MEGABYTE, 5 * MEGABYTE)
    item = event("chat", near_the_secret(random, 100))
    body = b"[" + b",".join([item] * (size // len(item))) + b"]"
    await wire.send(request("POST", EVENTS, body))
    return await wire.status()


async def wrongly_signed(wire: Wire, random: Random) -> str:
    """What the search for a mistake has work with: nothing explains a wholly other secret."""
    body = event("chat", "é\\/ +" * random.choice((1, 100, 20_000)))
    await wire.send(signed(body, secret="another"))
    return await wire.status()


async def deep_json(wire: Wire, random: Random) -> str:
    opening = random.choice(("[", '{"data":', '[{"name":'))
    body = opening.encode() * random.choice((1_000, 100_000))
    if random.random() < 0.5:
        await wire.send(signed(body))
        return await wire.status()
    await wire.greeting()
    await wire.send(frame(body[:100_000]))
    return (await wire.frame())["event"]


async def huge_queries(wire: Wire, random: Random) -> str:
    query = random.choice(
        (
            "auth_key=" + "x" * 60_000,
            "&".join(f"p{number}=v" for number in range(99)),
            "&".join(f"p{number}=v" for number in range(5_000)),
            "&" * 60_000,
            "%" * 60_000,
            "a=" + "%F0%9F%98%80" * 5_000,
            "a[]=" + near_the_secret(random, 5_000).replace("\\", "%5C"),
        )
    )
    await wire.send(request("GET", f"/apps/{PRACTICE_CREDENTIALS.app_id}/channels?{query}", b""))
    return await wire.status()


async def huge_heads(wire: Wire, random: Random) -> str:
    line = random.choice(("X-Many: x\r\n", f"X-Long: {'x' * 10_000}\r\n"))
    await wire.send(b"GET / HTTP/1.1\r\n" + line.encode() * (MEGABYTE // len(line)))
    return await wire.status()


# --- what is no HTTP ------------------------------------------------------------------------------

NONSENSE = (
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n folded\r\n\r\n",
    "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "GET /\r\n\r\n",
    "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "GET /\x00 HTTP/1.1\r\nHost: a\x00\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\n" * 1_000,
    "\x00" * 1_000,
)


async def smuggled_requests(wire: Wire, random: Random) -> str:
    await wire.send(random.choice(NONSENSE).encode())
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_SECONDS):
            return await wire.status()
    return "held"


async def tls_hellos(wire: Wire, random: Random) -> str:
    hello = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="a")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    await wire.send(hello.read())
    return await wire.hold()


# --- WebSockets -----------------------------------------------------------------------------------


async def unread_pings(wire: Wire, random: Random) -> str:
    """Megabytes of pings; the pongs stay where they are."""
    status = await wire.upgrade()
    wire.stop_reading()
    pings = frame(b"p" * random.choice((0, 125)), PING) * 400
    with suppress(TimeoutError):
        async with asyncio.timeout(HOLD_SECONDS):
            for _ in range(20 * MEGABYTE // len(pings)):
                await wire.send(pings)
    return status


async def oversized_frames(wire: Wire, random: Random) -> str:
    await wire.greeting()
    match random.randrange(4):
        case 0:
            await wire.send(b"\x81\xff" + (2**62).to_bytes(8) + bytes(4) + b"x" * 65_536)
        case 1:
            await wire.send(frame(b"x" * MEGABYTE))
        case 2:
            await wire.send(frame(b"x" * 65_536, end=False))
            for _ in range(20):
                await wire.send(frame(b"x" * 65_536, CONTINUATION, end=False))
        case 3:
            await wire.send(frame(b"x" * 1_000, PING))  # a control frame has 125 bytes at most
    return await wire.hold()


async def binary_frames(wire: Wire, random: Random) -> str:
    await wire.greeting()
    for _ in range(50):
        await wire.send(frame(random.randbytes(random.randrange(2_000)), BINARY))
    await wire.send(random.randbytes(1_000))  # any opcode, any length, masked or not
    return await wire.hold(HOLD_SECONDS / 4)


async def thousand_channels(wire: Wire, random: Random) -> str:
    """As many channels as one connection may have, and one more; then it is gone."""
    await wire.greeting()
    for number in range(1_001):
        await wire.say("pusher:subscribe", data={"channel": f"c{number}"})
    for _ in range(1_000):
        await wire.frame()
    last = (await wire.frame())["event"]
    wire.reset()
    return last


async def client_events(wire: Wire, random: Random) -> str:
    socket_id, channel = await wire.greeting(), "private-flood"
    auth = authorize_channel(PRACTICE_CREDENTIALS, socket_id, channel)
    await wire.say("pusher:subscribe", data={"channel": channel} | auth)
    data = "x" * random.choice((1, 1_000, 20_000))
    for _ in range(300):
        await wire.say("client-flood", channel=channel, data=data)
    return await wire.hold(HOLD_SECONDS / 4)


async def resets(wire: Wire, random: Random) -> str:
    """Gone at once, at any moment of a request or of a subscription."""
    if random.random() < 0.5:
        data = signed(event("chat", "x" * random.choice((10, 90_000))))
        await wire.send(data[: random.choice((50, len(data) - 1, len(data)))])
    else:
        await wire.upgrade()
        await wire.say("pusher:subscribe", data={"channel": STEADY})
    wire.reset()
    return "reset"


# --- how many of each -----------------------------------------------------------------------------

SUCCESS = frozenset({"200", "101"})
NO_ANSWER = "no answer"  # a round that the server left hanging
CUT_OFF = "at the end"  # a round that was under way when the time was over


@dataclass(frozen=True)
class Attack:
    """A kind of attack: so many rounds beside each other, each lane with a `pause` in between.

    `only` and `never` are the answers that it may, and may not, get. What came when the server
    was being stopped is not counted.
    """

    play: Callable[[Wire, Random], Awaitable[str]]
    lanes: int = 1
    pause: float = 0.1  # seconds, up to twice as long
    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()

    def wrong(self, answers: Collection[str]) -> list[str]:
        """Those of the answers that it should not have got."""
        right = set(answers) - self.never - {"500"}
        if self.only is not None:
            # Where the machine is busy, a round may time out; but not each of them.
            late = {CUT_OFF, NO_ANSWER} if self.only & right else {CUT_OFF}
            right &= self.only | late
        return sorted(set(answers) - right)


ATTACKS = {
    attack.play.__name__: attack
    for attack in (
        Attack(near_secret_events, lanes=2, only=frozenset({"200"})),
        Attack(near_secret_paths, lanes=2, only=frozenset({"404"})),
        Attack(near_secret_frames, only=frozenset({"pusher:error"})),
        Attack(foreign_hosts, never=SUCCESS),
        Attack(foreign_origins, never=SUCCESS),
        Attack(unfinished_bodies, lanes=4, pause=0.5, never=SUCCESS),
        Attack(dribbled_bodies, lanes=20, never=SUCCESS),
        Attack(endless_chunks, lanes=2, pause=0.5, never=SUCCESS),
        Attack(half_heads, lanes=300),
        Attack(idle, lanes=100),
        Attack(slow_readers, lanes=2),
        Attack(unread_live_pages, lanes=3),
        Attack(stalled_subscribers, lanes=10),
        Attack(large_events, lanes=2, only=frozenset({"200"})),
        Attack(unsigned_arrays, pause=0.5, only=frozenset({"401"})),
        Attack(wrongly_signed, lanes=2, pause=0.3, only=frozenset({"401"})),
        Attack(deep_json, pause=0.3, never=SUCCESS),
        Attack(huge_queries, lanes=3, pause=0.1, never=SUCCESS),
        Attack(huge_heads, never=SUCCESS),
        Attack(smuggled_requests, lanes=4),
        Attack(tls_hellos, lanes=4, never=SUCCESS),
        Attack(unread_pings, lanes=2, pause=1.0),
        Attack(oversized_frames, lanes=2),
        Attack(binary_frames, lanes=2),
        Attack(thousand_channels, pause=0.5),
        Attack(client_events, lanes=2, pause=0.5),
        Attack(resets, lanes=4),
    )
}
NO_ROOM = "idle_without_limit"  # for a server with few descriptors, beside what else is chosen
ATTACKS[NO_ROOM] = Attack(idle, lanes=400)


# --- at once --------------------------------------------------------------------------------------


async def attack(port: int, seconds: float, seed: int, kinds: Iterable[str]) -> dict[str, Counter]:
    """Play all `kinds` at once for so many seconds; return the count of each answer."""
    tallies: dict[str, Counter] = {kind: Counter() for kind in kinds}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as lanes:
            for kind, tally in tallies.items():
                for lane in range(ATTACKS[kind].lanes):
                    random = Random(f"{seed} {kind} {lane}")
                    lanes.create_task(_lane(port, ATTACKS[kind], random, tally))
            print("begun", flush=True)
    return tallies


async def _lane(port: int, attack: Attack, random: Random, tally: Counter) -> None:
    while True:
        await asyncio.sleep(attack.pause * random.uniform(0, 2))
        try:
            tally[await _round(port, attack, random)] += 1
        except asyncio.CancelledError:
            tally[CUT_OFF] += 1
            raise


async def _round(port: int, attack: Attack, random: Random) -> str:
    wire = None
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            wire = await _connect(port)
            return await attack.play(wire, random)
    except TimeoutError:
        return NO_ANSWER
    except ConnectionRefusedError:
        return "refused"
    except (ConnectionError, asyncio.IncompleteReadError):
        return "closed"
    finally:
        if wire is not None:
            wire.close()


async def _connect(port: int) -> Wire:
    own = socket.socket()
    # Small, so that what an attacker leaves unread stays with the server.
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    own.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(own, (HOST, port))
        return Wire(*await asyncio.open_connection(sock=own))
    except BaseException:
        own.close()
        raise


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("kinds", nargs="+", choices=ATTACKS)
    options = parser.parse_args()
    import resource  # here: Windows has none, and must be able to read this file

    os.nice(NICENESS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= OPEN_FILES > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    tallies = asyncio.run(attack(options.port, options.seconds, options.seed, options.kinds))
    print(json.dumps({"tallies": tallies, "processor": time.process_time()}))


if __name__ == "__main__":
    main()
