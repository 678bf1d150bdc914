"""Take pictures of the wall while a class of 20 is at it: begin, filling, busy, calm.

    python -m scripts.wall_pictures FOLDER

From the root of the checkout. A real hub with its proxy, 20 learners who publish and listen with
the package, and three of them who also send with programs of their own, each with a mistake that
people make: bash, Node, and plain Python. Each picture is 1280 by 720, light and dark. Those of
the docs go to docs/images as well, in few colours. Takes three minutes. Needs the extras `browser`,
`class` and `bench` (Pillow comes with matplotlib), and npm, node, bash, curl and openssl.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import jupyter
from benchmarks.room import TRAINER, Room, room
from pusherkit import Client, Event
from pusherkit.subscriber import Subscriber

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
IN_THE_DOCS = {"filling-light": "wall-filling", "busy-light": "wall-busy"}
COLOURS = 96  # enough for a page of text and flat colours
SCREEN = {"width": 1280, "height": 720}
TITLE = "Team Orchard"
NAMES = (
    *("Zoë", "Anna Lena", "Björn", "Chidi", "Dariusz", "Emre", "Fátima", "Giulia", "Hanna", "Iván"),
    *("Joëlle", "Kavya", "Liam", "Minh", "Nadia", "Oksana", "Priya", "Renée", "Søren", "Yuki"),
)
BASH, NODE, PYTHON = "Björn", "Nadia", "Emre"  # who send with a program of their own, too
EVENTS = (
    ("status", {"status": "left the depot"}),
    ("status", {"status": "out for delivery"}),
    ("status", {"status": "delivered"}),
    ("eta", {"minutes": 25}),
    ("eta", {"stop": 7, "of": 12}),
    ("delayed", {"why": "traffic", "minutes": 40}),
    ("delayed", {"why": "Straße gesperrt", "minutes": 15}),
)

# What `echo` adds is hashed, and curl doesn't send it.
IN_BASH = r"""
body='{"name":"status","channel":"order-41","data":"{\"status\":\"left the depot\"}"}'
md5=$(echo "$body" | openssl md5 -r | cut -d' ' -f1)
path="/apps/$PUSHER_APP_ID/events"
query="auth_key=$PUSHER_KEY&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$md5"
signature=$(printf 'POST\n%s\n%s' "$path" "$query" |
  openssl sha256 -hmac "$PUSHER_SECRET" -r | cut -d' ' -f1)
curl -s -o /dev/null --data-binary "$body" -H 'Content-Type: application/json' \
  "$PUSHER_HOST$path?$query&auth_signature=$signature"
"""
# Date.now() is in milliseconds.
IN_NODE = r"""
const { createHash, createHmac } = require("crypto");
const { PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET, PUSHER_HOST } = process.env;
const data = JSON.stringify({ status: "out for delivery" });
const body = JSON.stringify({ name: "status", channel: "order-42", data });
const path = `/apps/${PUSHER_APP_ID}/events`;
const query = `auth_key=${PUSHER_KEY}&auth_timestamp=${Date.now()}&auth_version=1.0` +
  `&body_md5=${createHash("md5").update(body).digest("hex")}`;
const signature = createHmac("sha256", PUSHER_SECRET).update(`POST\n${path}\n${query}`)
  .digest("hex");
fetch(`${PUSHER_HOST}${path}?${query}&auth_signature=${signature}`,
  { method: "POST", body, headers: { "Content-Type": "application/json" } });
"""
# The secret was copied without its last character.
IN_PYTHON = r"""
import hashlib, hmac, os, time, urllib.error, urllib.request
app, key, secret, host = (
    os.environ["PUSHER_" + name] for name in ("APP_ID", "KEY", "SECRET", "HOST"))
body = b'{"name":"status","channel":"order-43","data":"delivered"}'
path = f"/apps/{app}/events"
query = (f"auth_key={key}&auth_timestamp={int(time.time())}&auth_version=1.0"
         f"&body_md5={hashlib.md5(body).hexdigest()}")
signed = hmac.new(secret[:-1].encode(), f"POST\n{path}\n{query}".encode(), hashlib.sha256)
url = f"{host}{path}?{query}&auth_signature={signed.hexdigest()}"
try:
    urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"}))
except urllib.error.HTTPError:
    pass
"""
PROGRAMS = {
    BASH: ["bash", "-c", IN_BASH],
    NODE: ["node", "-e", IN_NODE],
    PYTHON: [sys.executable, "-c", IN_PYTHON],
}


class Class:
    """The learners of a class, and what they send."""

    def __init__(self, made: Room) -> None:
        self._chance = random.Random(20)  # noqa: S311 - no secret
        self._credentials = dict(zip(NAMES, made.credentials(NAMES), strict=True))
        self._clients = {name: Client(each) for name, each in self._credentials.items()}

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Everybody has a customer's page open; most of them that of order 41."""
        with contextlib.ExitStack() as stack:
            for number, name in enumerate(NAMES):
                orders = sorted({f"order-{order}" for order in (41, 41 + number % 6)})
                stack.enter_context(
                    Subscriber(self._credentials[name], orders, on_message=lambda _: None)
                )
            yield

    def sends(self, name: str) -> None:
        """Publish what one does in such a lesson."""
        event, data = self._chance.choice(EVENTS)
        order = 41 + int(self._chance.triangular(0, 12, 0))
        client = self._clients[name]
        match self._chance.randrange(40):
            case 0:
                client.trigger([f"order-{order}", "depot"], event, data)
            case 1:
                client.channels(prefix="order-")
            case 2:
                client.trigger_batch([Event.of(f"order-{order}", event, data)])
            case _:
                client.trigger(f"order-{order}", event, data)

    def is_refused(self, name: str) -> None:
        """Run somebody's own program, with its mistake."""
        mine = self._credentials[name]
        subprocess.run(PROGRAMS[name], check=True, timeout=30, env=os.environ | mine.to_env())

    def sends_together(self, names: tuple[str, ...], seconds: float, per_second: float) -> None:
        """Everybody named publishes, each in a thread of their own, `per_second` in all."""
        until = time.monotonic() + seconds

        def work(name: str, chance: random.Random) -> None:
            pause = len(names) / per_second
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, pause * chance.uniform(0.3, 1.7)))
                self.sends(name)

        threads = [
            threading.Thread(target=work, args=(name, random.Random(name)))  # noqa: S311
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main(folder: Path) -> None:
    """Let the class begin, and take a picture of each time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as root,
        room(Path(root) / "class", NAMES, TITLE) as made,
        jupyter.browser() as browser,
    ):
        pages = {
            look: _wall(browser, f"{made.links()[TRAINER]}/wall", look)
            for look in ("light", "dark")
        }

        def picture(name: str) -> None:
            for look, page in pages.items():
                # Somebody's line may be fading in.
                page.screenshot(path=folder / f"{name}-{look}.png", animations="disabled")

        learners = Class(made)
        pages["light"].get_by_text("Nothing has been sent yet").wait_for()
        picture("begin")
        with learners.listening():
            learners.sends_together(NAMES[:7], seconds=8, per_second=1)
            learners.is_refused(BASH)
            learners.sends_together(NAMES[2:9], seconds=4, per_second=1)
            picture("filling")
            busy = threading.Thread(
                target=learners.sends_together, args=(NAMES, 30), kwargs={"per_second": 50}
            )
            busy.start()
            for name in (NODE, PYTHON, NODE, PYTHON, PYTHON):
                learners.is_refused(name)
                time.sleep(5)  # people think in between
            picture("busy")
            busy.join()
            learners.sends_together(NAMES[9:12], seconds=70, per_second=0.3)
            picture("calm")
    for name, stored in IN_THE_DOCS.items():
        _store(folder / f"{name}.png", IMAGES / f"{stored}.png")


def _wall(browser: Any, link: str, look: str) -> Any:
    page = browser.new_context(viewport=SCREEN, color_scheme=look).new_page()
    page.set_default_timeout(jupyter.STEP_MILLISECONDS)
    page.goto(link)
    page.get_by_text("Live", exact=True).wait_for()
    return page


def _store(taken: Path, stored: Path) -> None:
    """Keep a picture in few colours, which is small, and looks the same."""
    from PIL import Image

    with Image.open(taken) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(stored, optimize=True)


if __name__ == "__main__":
    main(Path(*sys.argv[1:]))
