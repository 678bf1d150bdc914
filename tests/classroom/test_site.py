"""A class with browsers only, on a real port: who gets in, as whom, and who sees what."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect

from pusherkit import AsyncClient, Credentials, PusherError, Unauthorized
from pusherkit.classroom import addresses
from pusherkit.classroom.addresses import names_of
from pusherkit.classroom.links import LINK_FILE, NAMES_A_MINUTE, NAMES_FILE, LinkDoor
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.site import KERNEL, Site, address, in_browsers, opening, packed
from pusherkit.classroom.store import locked
from pusherkit.classroom.wall import Wall, serving
from pusherkit.cli import main
from pusherkit.sandbox.visitors import Visitors
from tests.classroom.conftest import COURSE, SECRET

SETTINGS = {
    "jupyter-config-data": {
        "appName": "pusherkit lessons",
        "litePluginSettings": {KERNEL: {"loadPyodideOptions": {"packages": ["pusherkit"]}}},
    }
}
OPENING_LINES = 7  # that the command prints once it's up
LARGE = "let i = 1;\n" * 2_000
FILES = {
    "index.html": "<header></header><h1>Lessons</h1><!--alone-->Private.<!--/alone-->",
    "lab/index.html": "<!doctype html><title>Lab</title>",
    "style.css": "body {}",
    "python-0123/python.wasm": "\0asm",
    "lab/loading.js": "1",
    "lab/large.js": LARGE,
    "jupyter-lite.json": json.dumps(SETTINGS),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site, as far as it matters here."""
    for name, text in FILES.items():
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "outside.txt").write_text("not for you")
    return tmp_path


class Class:
    """An open class."""

    def __init__(self, wall: Wall, door: LinkDoor) -> None:
        self.wall, self.door = wall, door
        self.url = wall.server.url

    @asynccontextmanager
    async def browser(self, name: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """A browser, which has joined if there's a name."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as browser:
            if name:
                joined = await browser.post("/join", data={"name": name})
                assert joined.status_code == 303, joined.text
            yield browser

    async def refusal(self, browser: httpx.AsyncClient, **typed: str) -> tuple[int, str]:
        """How /join refuses: the status, and its sentence."""
        answer = await browser.post("/join", data=typed)
        (said,) = re.findall('role="alert">([^<]*)<', answer.text)
        return answer.status_code, said


Open = Callable[[], AbstractAsyncContextManager[Class]]


@pytest.fixture
def open_class(folder: Path) -> Open:
    """Opens the class. Opened again in the same folder, it's that class after a restart."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Class]:
        site = Site(folder / "site")
        wall, door = in_browsers(
            folder / "data", Roster(SECRET), site, title="Tues<day>", course=COURSE, port=0
        )
        async with serving(wall, door):
            yield Class(wall, door)

    return open_it


@pytest.fixture
async def klass(open_class: Open) -> AsyncIterator[Class]:
    async with open_class() as klass:
        yield klass


async def environment(browser: httpx.AsyncClient, **headers: str) -> dict[str, str]:
    """What this browser's lessons find in their environment."""
    answer = await browser.get("/jupyter-lite.json", headers=headers)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/json")
    settings = answer.json()["jupyter-config-data"]["litePluginSettings"][KERNEL]
    assert settings["loadPyodideOptions"]["packages"] == ["pusherkit"]
    found: dict[str, str] = settings["loadPyodideOptions"]["env"]
    return found


# --- joining --------------------------------------------------------------------------------------


async def test_somebody_new_is_asked_for_a_name_and_nothing_else(klass: Class) -> None:
    async with klass.browser() as browser:
        for path in ("/", "/index.html", "/lab/index.html?path=00-start-here.ipynb", "/lab/"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (302, "/join"), path
        page = await browser.get("/join")
        assert "Tues&lt;day&gt;" in page.text
        assert "your trainer sees" in page.text
        assert "form-action 'self'" in page.headers["content-security-policy"]
        assert (await browser.get("/style.css")).text == "body {}"
        assert await environment(browser) == {}


async def test_a_name_is_all_it_takes_to_send_to_the_wall(klass: Class) -> None:
    async with klass.browser() as browser:
        joined = await browser.post("/join", data={"name": " Zoë "})
        assert joined.headers["location"] == "/join"
        cookie = joined.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        page = await browser.get("/join")
        assert "in, Zoë<" in page.text
        landing = await browser.get("/")
        assert "<strong>Zoë</strong> in Tues&lt;day&gt;" in landing.text
        assert landing.text.endswith("<h1>Lessons</h1>"), "nothing is private that isn't"
        assert (await browser.get("/lab/index.html")).status_code == 200
        found = await environment(browser)
    assert found["PUSHERKIT_CLASS"] == f"{klass.url}/wall/"
    assert found["PUSHER_HOST"] == klass.url
    async with AsyncClient(Credentials.from_env(found)) as client:
        assert await client.trigger("order-41", "status", "ready") == {}
    (line,) = json.loads(klass.wall.view())["lines"]
    assert (line["who"], line["data"]) == ("Zoë", "ready")


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Type a name"), ("\u202eeoZ", "U+202E"), ("y" * 33, "33 characters"), ("?!", "letter")],
)
async def test_an_odd_name_stays_in_its_field(klass: Class, typed: str, said: str) -> None:
    async with klass.browser() as browser:
        status, problem = await klass.refusal(browser, name=typed)
        assert status == 400
        assert said in problem
        assert "set-cookie" not in (await browser.post("/join", data={"name": typed})).headers


async def test_what_is_typed_is_only_ever_text(klass: Class) -> None:
    name = '"><script>1'
    async with klass.browser() as browser:
        for refused in (name + "\x01", name * 9):
            page = (await browser.post("/join", data={"name": refused})).text
            assert "<script" not in page
        await browser.post("/join", data={"name": name})
        for path in ("/join", "/"):
            page = (await browser.get(path)).text
            assert "<script" not in page
            assert "&lt;script&gt;1" in page


async def test_a_taken_name_is_for_its_own_browser(klass: Class) -> None:
    async with klass.browser("Zoë") as zoe, klass.browser() as other:
        for alike in ("Zoë", "ZOË", "Zoe\u0308"):
            status, said = await klass.refusal(other, name=alike)
            assert (status, said.split(".")[0]) == (409, "Zoë is in this class already")
        assert await environment(other) == {}
        assert (await zoe.post("/join", data={"name": "zoë"})).status_code == 303
        secret = (await environment(zoe))["PUSHER_SECRET"]

        status, said = await klass.refusal(other, name="zoë", secret="guessed")
        assert (status, "isn&#x27;t Zoë&#x27;s secret" in said) == (409, True)
        assert (await other.post("/join", data={"name": "zoë", "secret": secret})).is_redirect
        assert (await environment(other))["PUSHER_KEY"] == "Zo_c3_ab"


async def test_the_class_is_full_at_some_point(
    klass: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pusherkit.classroom.links.MAX_LEARNERS", 2)
    async with klass.browser("a") as first, klass.browser("b"), klass.browser() as third:
        assert "The class is full" in (await klass.refusal(third, name="c"))[1]
        assert (await first.post("/join", data={"name": "A"})).is_redirect


async def test_a_name_that_was_never_used_is_free_again(klass: Class, folder: Path) -> None:
    async with klass.browser("zoe") as mallory:
        badge = dict(mallory.cookies)
        await mallory.post("/join", data={"name": "mallory"})
        assert "zoe" not in (folder / "data" / NAMES_FILE).read_text()
        async with klass.browser("Zoe") as zoe, klass.browser() as other:
            other.cookies.update(badge)
            assert await environment(other) == {}, "the badge of whoever had the name before"
            assert (await environment(zoe))["PUSHER_KEY"] == "Zoe"
            await zoe.post("/join", data={"name": "Zoë"})
            assert (await klass.refusal(other, name="zoe"))[0] == 409, "its secret is out"


async def test_a_badge_brings_back_the_name_that_was_given_up(klass: Class) -> None:
    async with klass.browser("zoe") as zoe, klass.browser() as other:
        badge = dict(zoe.cookies)
        await zoe.post("/join", data={"name": "Zoë"})
        other.cookies.update(badge)
        assert (await environment(other))["PUSHER_KEY"] == "zoe"
        assert (await klass.refusal(zoe, name="zoe"))[0] == 409


async def test_new_names_from_one_address_have_a_rate(
    klass: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pusherkit.classroom.links.time.monotonic", lambda: 0.0)
    async with klass.browser() as browser:
        for number in range(NAMES_A_MINUTE):
            assert (await browser.post("/join", data={"name": f"n{number}"})).is_redirect
        status, said = await klass.refusal(browser, name="another")
        assert (status, "Wait a few seconds" in said) == (400, True)
        assert (await browser.post("/join", data={"name": f"N{number}"})).is_redirect
        elsewhere = {"X-Forwarded-For": "192.0.2.1, 192.0.2.7"}
        joined = await browser.post("/join", data={"name": "another"}, headers=elsewhere)
        assert joined.is_redirect


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("http://localhost:1", 403), ("null", 403), ("", 303)],
)
async def test_another_sites_page_cannot_make_a_browser_join(
    klass: Class, origin: str, status: int
) -> None:
    async with klass.browser() as browser:
        headers = {"Origin": origin or klass.url}
        answer = await browser.post("/join", data={"name": "zoë"}, headers=headers)
        assert answer.status_code == status
        assert ("set-cookie" in answer.headers) == (status == 303)


async def test_the_trainer_hears_what_plain_http_loses(klass: Class) -> None:
    klass.door.visitors = Visitors(["class.example"])
    named, tls = {"Host": "class.example"}, {"X-Forwarded-Proto": "https"}
    async with klass.browser("zoë") as browser:
        cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
    async with klass.browser() as browser:
        for path in ("/", "/join"):
            for headers, said in (({}, False), (named, True), (named | tls, False)):
                page = (await browser.get(path, headers=headers | cookie)).text
                assert ("lasts only until you reload" in page) == said, (path, headers)


async def test_behind_a_proxy_with_tls_the_address_is_the_browser_s(klass: Class) -> None:
    async with klass.browser() as browser:
        headers = {"X-Forwarded-Proto": "https"}
        joined = await browser.post("/join", data={"name": "zoë"}, headers=headers)
        assert "Secure" in joined.headers["set-cookie"]
        cookie = joined.headers["set-cookie"].split(";")[0]
    async with httpx.AsyncClient(base_url=klass.url, headers={"Cookie": cookie}) as browser:
        found = await environment(browser, **headers)
        assert found["PUSHER_HOST"] == klass.url.replace("http", "https")


# --- who may do what ------------------------------------------------------------------------------


async def test_nobody_signs_as_somebody_else(klass: Class) -> None:
    async with klass.browser("zoë") as zoe, klass.browser("adam"):
        mine = await environment(zoe)
    async with AsyncClient(Credentials.from_env({**mine, "PUSHER_KEY": "adam"})) as client:
        with pytest.raises(Unauthorized):
            await client.trigger("order-41", "status", "from adam")
    view = json.loads(klass.wall.view())
    assert view["lines"] == []
    (refused,) = view["refusals"]
    assert (refused["who"], refused["key_of"]) == ("", "adam")


TRAINERS = ("trainer", "trainer/export.json", "trainer/export.csv")
ORDERS = ("round", "help-over", "clear")


async def test_a_learner_sees_the_wall_but_not_the_trainer_s_view(klass: Class) -> None:
    async with klass.browser("zoë") as zoe, klass.browser() as stranger:
        for browser in (zoe, stranger):
            assert (await browser.get("/wall/")).status_code == 200
            for path in TRAINERS:
                answer = await browser.get(f"/wall/{path}")
                assert answer.status_code == 403
                assert "for the class's trainers" in answer.text
            for order in ORDERS:
                headers = {"Origin": klass.url}
                answer = await browser.post(
                    f"/wall/trainer/{order}", json={"seed": 41}, headers=headers
                )
                assert answer.status_code == 403
            cookies = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
            live = klass.url.replace("http", "ws") + "/wall/"
            async with connect(live + "live", additional_headers=cookies) as feed:
                assert json.loads(await feed.recv())["kind"] == "wall"
            with pytest.raises(websockets.InvalidStatus):
                await connect(live + "trainer/live", additional_headers=cookies)
    assert klass.wall.board.learners.round is None


async def test_the_trainer_s_link_opens_their_view_and_leaves_the_address_bar(
    klass: Class,
) -> None:
    async with klass.browser() as browser:
        for link in ("", "0" * 64, SECRET):
            answer = await browser.get("/wall/enter", params={"link": link})
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        answer = await browser.get(klass.door.trainer_path)
        assert answer.headers["location"] == "/wall/trainer"
        assert {"HttpOnly", "SameSite=Lax"} <= set(answer.headers["set-cookie"].split("; "))
        for path in TRAINERS:
            assert (await browser.get(f"/wall/{path}")).status_code == 200
        order = {"url": "/wall/trainer/round", "json": {"seed": 41}}
        for origin in ("http://evil.example", "http://localhost:1"):
            assert (await browser.post(**order, headers={"Origin": origin})).status_code == 403
        assert klass.wall.board.learners.round is None
        assert (await browser.post(**order, headers={"Origin": klass.url})).status_code == 200
        assert klass.wall.board.learners.round is not None


async def test_nobody_takes_the_places_of_another_s_pages(
    klass: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pusherkit.classroom.wall.MAX_FEEDS_EACH", 1)
    url = klass.url.replace("http", "ws") + "/wall/live"
    async with AsyncExitStack() as open_pages:
        for name in ("zoë", "trainer, zoë", "at 127.0.0.1", "", ""):
            browser = await open_pages.enter_async_context(klass.browser(name))
            if name == "zoë":
                await browser.get(klass.door.trainer_path)
            cookies = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
            await open_pages.enter_async_context(connect(url, additional_headers=cookies))


async def test_a_restart_changes_nothing(open_class: Open, folder: Path) -> None:
    async with open_class() as klass, klass.browser("zoë") as zoe:
        badge, own = dict(zoe.cookies), (await environment(zoe))["PUSHER_SECRET"]
        link = klass.door.trainer_path
    with (folder / "data" / NAMES_FILE).open("a") as names:
        names.write('half a na\n"\n[1]\n')  # as after a power cut
    async with open_class() as klass, klass.browser() as browser:
        assert (await klass.refusal(browser, name="zoë"))[0] == 409
        browser.cookies.update(badge)
        assert (await environment(browser))["PUSHER_SECRET"] == own
        assert klass.door.trainer_path == link


async def test_half_a_line_costs_nobody_else_their_name(open_class: Open, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / NAMES_FILE).write_text('["ada', encoding="ascii")  # the disk was full
    async with open_class() as klass, klass.browser("zoë"):
        pass
    async with open_class() as klass, klass.browser() as browser:
        assert (await klass.refusal(browser, name="zoë"))[0] == 409


async def test_a_link_that_got_out_can_be_replaced(open_class: Open, folder: Path) -> None:
    async with open_class() as klass, klass.browser() as trainer:
        await trainer.get(klass.door.trainer_path)
        badge, link = dict(trainer.cookies), klass.door.trainer_path
    (folder / "data" / LINK_FILE).unlink()
    async with open_class() as klass, klass.browser() as browser:
        assert (await browser.get(link)).status_code == 403
        browser.cookies.update(badge)
        assert (await browser.get("/wall/trainer")).status_code == 403


def test_an_emptied_link_file_makes_nobody_the_trainer(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / LINK_FILE).write_text("")
    with pytest.raises(PusherError, match="trainer-link is too short"):
        LinkDoor(folder / "data", Roster(SECRET), 8090, [])


async def test_a_full_disk_keeps_nobody_out(
    klass: Class, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "data" / NAMES_FILE).mkdir()  # nobody can write to that
    async with klass.browser("zoë") as zoe:
        assert (await environment(zoe))["PUSHER_KEY"] == "zo_c3_ab"
    assert "can't be written" in caplog.text


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/lab/loading.js", 200),
        ("/python-0123/python.wasm", 200),
        ("/nothing.js", 404),
        ("/../outside.txt", 404),
        ("/%2e%2e/outside.txt", 404),
        ("/..%2foutside.txt", 404),
        ("/lab/..%5c..%5coutside.txt", 404),
        ("//etc/passwd", 404),
        ("/%00", 404),
        ("/wall/nothing", 404),
        ("/apps/1/nothing", 404),
    ],
)
async def test_only_the_site_s_files_are_served(klass: Class, path: str, status: int) -> None:
    async with klass.browser() as browser:
        answer = await browser.get(httpx.URL(klass.url).copy_with(raw_path=path.encode()))
        assert answer.status_code in ({status, 403} if status == 404 else {status}), answer.text
        assert "not for you" not in answer.text


async def test_browsers_cache_files_only_while_they_are_right(klass: Class) -> None:
    async with klass.browser() as browser:
        wasm = await browser.get("/python-0123/python.wasm")
        assert wasm.headers["content-type"] == "application/wasm"
        assert "immutable" in wasm.headers["cache-control"]
        script = await browser.get("/lab/loading.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["cache-control"] == "no-cache"
        again = await browser.get(
            "/lab/loading.js", headers={"If-None-Match": script.headers["etag"]}
        )
        assert again.status_code == 304
        assert (await browser.head("/lab/loading.js")).status_code == 200


async def test_large_files_travel_packed(klass: Class, folder: Path) -> None:
    source = folder / "site" / "lab" / "large.js"
    async with klass.browser() as browser:
        answer = await browser.get("/lab/large.js")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"].startswith("text/javascript")
        assert int(answer.headers["content-length"]) < 1_000
        assert answer.text == LARGE
        plain = await browser.get("/lab/large.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == LARGE
        assert plain.headers["etag"] != answer.headers["etag"]
        assert "content-encoding" not in (await browser.get("/lab/loading.js")).headers
    small = folder / "data" / "packed"
    assert packed(source.parents[1], small) == {"lab/large.js"}
    before = (small / "lab" / "large.js").stat()
    packed(source.parents[1], small)
    assert (small / "lab" / "large.js").stat().st_ctime_ns == before.st_ctime_ns, "made once"
    source.write_text(LARGE[1:])
    packed(source.parents[1], small)
    assert gzip.decompress((small / "lab" / "large.js").read_bytes()).decode() == LARGE[1:]
    (folder / "a file").write_text("")
    assert packed(source.parents[1], folder / "a file") == frozenset(), "no room there"


@pytest.mark.parametrize("name", ["lab/loading.js", "lab/large.js"])
async def test_a_site_may_be_built_anew_while_its_class_is_open(
    klass: Class, folder: Path, name: str
) -> None:
    async with klass.browser() as browser:
        before = await browser.get(f"/{name}")
        file = folder / "site" / name
        anew = before.text.replace("1", "2")  # of the same size
        file.write_text(anew)
        later = file.stat().st_mtime_ns + 10**9
        os.utime(file, ns=(later, later))
        known = {"If-None-Match": before.headers["etag"]}
        answer = await browser.get(f"/{name}", headers=known)
        assert (answer.status_code, answer.text) == (200, anew)


@pytest.mark.parametrize("path", ["/", "/join", "/lab/loading.js", "/jupyter-lite.json", "/wall/"])
async def test_another_name_for_this_machine_opens_nothing(klass: Class, path: str) -> None:
    async with klass.browser() as browser:
        answer = await browser.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 403
        assert "evil.example" in answer.text


async def test_the_api_is_beside_the_site(klass: Class) -> None:
    async with klass.browser() as browser:
        answer = await browser.post("/apps/6855671/events", content=b"{}")
        assert answer.status_code == 401
        assert "error" in answer.json()
        assert (await browser.post("/lab/loading.js")).status_code in (404, 405)
    async with connect(f"{klass.url.replace('http', 'ws')}/app/zoe?protocol=7") as subscriber:
        assert json.loads(await subscriber.recv())["event"] == "pusher:connection_established"


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (None, "there's no such folder"),
        ("jupyter-lite.json", "it has no jupyter-lite.json"),
        ("lab/index.html", "it has no lab/index.html"),
        ("=jupyter-lite.json", "isn't one that pusherkit built"),
        ("=index.html", "no place for a class"),
    ],
)
def test_a_folder_without_a_site_gets_told_how_to_build_one(
    folder: Path, spoil: str | None, said: str
) -> None:
    site = folder / ("site" if spoil else "nowhere")
    if spoil and spoil.startswith("="):
        (site / spoil[1:]).write_text("[]")
    elif spoil:
        (site / spoil).unlink()
    with pytest.raises(PusherError, match=said) as caught:
        Site(site)
    assert "scripts/build_site.py" in str(caught.value)


@pytest.mark.parametrize("data", ["site", "site/data", "data/../site/lab"])
def test_the_secrets_are_not_kept_where_everybody_can_read_them(
    folder: Path,
    data: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def until_stopped(*_: object) -> None: ...

    monkeypatch.setattr("pusherkit.classroom.site.until_stopped", until_stopped)
    before = sorted((folder / "site").rglob("*"))
    assert main(["wall", f"--site={folder / 'site'}", f"--data={folder / data}"]) == 1
    assert "everybody can read what's there" in capsys.readouterr().err
    assert sorted((folder / "site").rglob("*")) == before


def test_nothing_is_made_for_a_site_that_isn_t_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wall", f"--site={folder / 'nowhere'}", f"--data={folder / 'data'}"]) == 1
    assert "there's no such folder" in capsys.readouterr().err
    assert not (folder / "data").exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks")
def test_one_folder_has_one_class(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(folder / "data"):
        assert main(["wall", f"--site={folder / 'site'}", f"--data={folder / 'data'}"]) == 1
    said = capsys.readouterr().err
    assert f"is running already (process {os.getpid()}). Two trainers can share it" in said
    assert "--data" in said
    assert not (folder / "data" / LINK_FILE).exists()


def test_a_data_folder_that_cannot_be_written_gets_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").write_text("")
    assert main(["wall", f"--site={folder / 'site'}", f"--data={folder / 'file' / 'data'}"]) == 1
    assert "Choose a folder of your own with --data" in capsys.readouterr().err


def test_a_taken_port_gets_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, data = str(folder / "site"), str(folder / "data")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["wall", "--site", site, "--data", data, "--port", port]) == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a signal that can be heard, as POSIX has it")
def test_the_command_opens_a_class_and_ends_in_order(folder: Path) -> None:
    command = [sys.executable, "-m", "pusherkit", "wall", "--site", folder / "site", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", folder / "data", "--allow-host", "class.example"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = "".join(process.stdout.readline() for _ in range(OPENING_LINES))
        try:
            assert "https://class.example/wall/enter?link=" in told
            (port,) = re.findall(r"pass all of it on to http://127.0.0.1:(\d+)\n", told)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
                here = browser.get("/join")
                there = browser.get("/join", headers={"Host": "class.example"})
            assert here.status_code == there.status_code == 200
            assert "Signing for Pusher" in here.text
        finally:
            process.terminate()
        assert (process.wait(15), process.stdout.read()) == (0, "")


def test_the_command_has_a_loop_that_windows_has_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = []

    async def until_stopped(*_: object) -> None:
        loops.append(type(asyncio.get_running_loop()))

    def not_this_one() -> asyncio.AbstractEventLoop:
        raise AssertionError("the system's own kind of loop")

    monkeypatch.setattr("pusherkit.classroom.site.until_stopped", until_stopped)
    monkeypatch.setattr("asyncio.events.new_event_loop", not_this_one)
    assert main(["wall", f"--site={folder / 'site'}", f"--data={folder / 'data'}"]) == 0
    assert loops == [asyncio.SelectorEventLoop]


def test_a_wall_answers_to_its_names_in_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "lan_address", lambda: "192.0.2.7")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    assert names_of("127.0.0.1") == names_of("localhost") == []
    assert names_of("192.0.2.9") == ["192.0.2.9"]
    assert names_of("0.0.0.0") == ["192.0.2.7", "desk", "desk.local"]
    assert names_of("::1") == []
    assert names_of("fd00::5") == ["[fd00::5]"]


@pytest.mark.parametrize(
    ("host", "names", "url"),
    [
        ("127.0.0.1", [], "http://127.0.0.1:8090"),
        ("::1", [], "http://[::1]:8090"),
        ("192.0.2.9", ["192.0.2.9"], "http://192.0.2.9:8090"),
        ("fd00::5", names_of("fd00::5"), "http://[fd00::5]:8090"),
        ("127.0.0.1", ["class.example"], "https://class.example"),
    ],
)
def test_learners_get_an_address_that_a_browser_can_open(
    host: str, names: list[str], url: str
) -> None:
    here = f"http://{f'[{host}]' if ':' in host else host}:8090"
    assert address(host, names, here) == url
    assert urlsplit(url).hostname in (host, "class.example")


def test_the_trainer_reads_what_to_do(folder: Path) -> None:
    door = LinkDoor(folder / "data", Roster(SECRET), 8090, [])
    local = "http://127.0.0.1:8090"

    def told(url: str) -> str:
        return "\n".join(opening(url, local, door, folder / "data"))

    assert f"{local}{door.trainer_path}" in told(local)
    assert "start it with --host" in told(local)
    assert "docs/class.md says how to have https" in told("http://192.0.2.7:8090")
    assert f"https://class.example{door.trainer_path}" in told("https://class.example")
    assert f"pass all of it on to {local}" in told("https://class.example")
