"""HubDoor against a small stand-in for a hub: sign-in, scopes and forged requests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web

from pusherkit.classroom.doors import NOT_LET_IN, TRAIN, HubDoor, next_page
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.wall import Wall, serving
from pusherkit.errors import PusherError
from tests.classroom.conftest import COURSE, SECRET

pytest.importorskip("jupyterhub")
from jupyterhub.services.auth import HubOAuth

ACCESS = "access:services!service=wall"
SCOPES = {
    "trainer": [ACCESS, TRAIN],
    "ann": [ACCESS],
    "stranger": [],
    "other": [ACCESS, "custom:x"],
}
PREFIX = "/services/wall/"


class _Authorize(tornado.web.RequestHandler):
    """The hub's own page. It believes whatever name the header has."""

    def get(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(self.request.query).items()}
        code, state = self.request.headers["X-Visitor"], asked["state"]
        # Without a proxy in between, the wall is at an address of its own.
        self.redirect(f"{self.settings['wall']}oauth_callback?code={code}&state={state}")


class _Token(tornado.web.RequestHandler):
    def post(self) -> None:
        self.finish({"access_token": f"token-of-{self.get_body_argument('code')}"})


class _User(tornado.web.RequestHandler):
    def get(self) -> None:
        name = self.request.headers["Authorization"].removeprefix("token token-of-")
        if name not in SCOPES:
            self.set_status(403)
            self.finish({})
            return
        self.finish({"name": name, "kind": "user", "scopes": SCOPES[name]})


@pytest.fixture
async def pages(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The URL of a wall that's a hub's service."""
    (listener,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
    hub = f"http://127.0.0.1:{listener.getsockname()[1]}"
    application = tornado.web.Application(
        [
            ("/hub/api/oauth2/authorize", _Authorize),
            ("/hub/api/oauth2/token", _Token),
            ("/hub/api/user", _User),
        ],
        log_function=lambda handler: None,
    )
    server = tornado.httpserver.HTTPServer(application)
    server.add_socket(listener)
    environ = {
        "JUPYTERHUB_API_TOKEN": "the wall's own",
        "JUPYTERHUB_API_URL": f"{hub}/hub/api",
        "JUPYTERHUB_HOST": hub,
        "JUPYTERHUB_CLIENT_ID": "service-wall",
        "JUPYTERHUB_SERVICE_NAME": "wall",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([ACCESS]),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    HubOAuth.clear_instance()
    door = HubDoor(environ, Roster(SECRET).cookie_secret)
    try:
        async with serving(Wall(Roster(SECRET), tmp_path, course=COURSE, title="T"), door) as url:
            application.settings["wall"] = url
            yield url
    finally:
        HubOAuth.clear_instance()
        server.stop()
        await server.close_all_connections()


async def browse(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """GET a page, and follow redirects as a browser does."""
    return await client.get(url, follow_redirects=True)


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(pages):
    async with httpx.AsyncClient(headers={"X-Visitor": "trainer"}) as client:
        page = await browse(client, f"{pages}trainer")
        assert (page.status_code, str(page.url)) == (200, f"{pages}trainer")
        assert [urlsplit(str(each.url)).path for each in page.history] == [
            f"{PREFIX}trainer",
            f"{PREFIX}sign-in",
            "/hub/api/oauth2/authorize",
            f"{PREFIX}oauth_callback",
            f"{PREFIX}sign-in",
        ]


async def test_a_learner_sees_the_wall_and_not_the_trainers_view(pages):
    for name in ("ann", "other"):
        async with httpx.AsyncClient(headers={"X-Visitor": name}) as client:
            assert (await browse(client, pages)).status_code == 200
            assert (await browse(client, f"{pages}trainer")).status_code == 403


async def test_somebody_without_the_right_to_this_service_sees_nothing(pages):
    async with httpx.AsyncClient(headers={"X-Visitor": "stranger"}) as client:
        page = await browse(client, pages)
        assert page.status_code == 403
        assert page.text == NOT_LET_IN


async def test_a_hub_token_reads_the_exports_and_a_wrong_one_does_not(pages):
    async with httpx.AsyncClient() as client:
        for name, status in (("trainer", 200), ("ann", 403), ("nobody", 302)):
            headers = {"Authorization": f"token token-of-{name}"}
            answer = await client.get(f"{pages}trainer/export.json", headers=headers)
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({}, 403),
    ],
    ids=str,
)
async def test_only_the_page_itself_gives_orders_with_somebodys_cookie(pages, headers, status):
    async with httpx.AsyncClient(headers={"X-Visitor": "trainer"}) as client:
        await browse(client, pages)
        answer = await client.post(f"{pages}trainer/round", json={"seed": 41}, headers=headers)
        assert answer.status_code == status
        own = {"Origin": pages.removesuffix(PREFIX)}
        answer = await client.post(f"{pages}trainer/round", json={"seed": 41}, headers=own)
        assert answer.status_code == 200


async def test_a_sign_in_leads_to_no_other_site(pages):
    async with httpx.AsyncClient(headers={"X-Visitor": "ann"}) as client:
        page = await browse(client, f"{pages}sign-in?next=//evil.example/")
        assert str(page.url) == pages


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/services/wall/trainer?x=1", "/services/wall/trainer?x=1"),
        ("", PREFIX),
        ("//evil.example/services/wall/", PREFIX),
        ("https://evil.example", PREFIX),
        ("/services/wall//evil.example", PREFIX),
        ("/services/wall/\\evil.example", PREFIX),
        ("/hub/logout", PREFIX),
    ],
)
def test_where_a_sign_in_may_lead(asked, leads_to):
    assert next_page(asked, PREFIX) == leads_to


def test_without_a_hub_it_says_what_starts_it():
    with pytest.raises(PusherError, match="`pusherkit class` starts both"):
        HubDoor({}, lambda: "")


def test_without_jupyterhub_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterhub.services.auth", None)
    environ = {"JUPYTERHUB_SERVICE_PREFIX": PREFIX, "JUPYTERHUB_API_TOKEN": "x"}
    with pytest.raises(PusherError, match=r"pip install 'pusherkit\[class\]'"):
        HubDoor(environ, lambda: "")


def test_the_command_serves_until_the_hub_ends_it(tmp_path):
    """`pusherkit wall`, as a hub starts it. It asks the hub only once somebody comes."""
    environ = {
        "JUPYTERHUB_API_TOKEN": "the wall's own",
        "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
        "JUPYTERHUB_CLIENT_ID": "service-wall",
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0",
    }
    command = [sys.executable, "-m", "pusherkit", "wall", "--data", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    ) as wall:
        assert wall.stdout is not None
        said = wall.stdout.readline()
        wall.send_signal(signal.SIGTERM)
        assert wall.wait(30) == 0
    programs, pages = re.findall(r"http://127\.0\.0\.1:\d+\S*", said)
    assert pages.endswith(PREFIX)
    assert not programs.endswith("/")
    assert (tmp_path / "secret").exists()
