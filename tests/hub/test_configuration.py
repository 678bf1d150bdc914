"""configure(), as a hub reads it: the wall, who may train, and what learners' servers get."""

from __future__ import annotations

import os
import runpy
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

pytest.importorskip("jupyterhub", reason='JupyterHub is missing: pip install -e ".[class]"')

from jupyterhub.spawner import Spawner
from traitlets.config import Config

from pusherkit import lab
from pusherkit.classroom import hub, learner
from pusherkit.classroom.invitations import invite, read_names, save
from pusherkit.classroom.roster import Roster
from pusherkit.errors import PusherError

ROOT = Path(__file__).parents[2]


def loaded(c: Config) -> Config:
    """The configuration as the hub will have it: lists start empty, and then get what was added."""
    for section, name, empty in (
        ("JupyterHub", "custom_scopes", {}),
        ("JupyterHub", "services", []),
        ("JupyterHub", "load_roles", []),
        ("Spawner", "environment", {}),
    ):
        if hasattr(c[section][name], "get_value"):
            c[section][name] = c[section][name].get_value(empty)
    return c


def spawner_of(name: str) -> Any:
    return SimpleNamespace(
        user=SimpleNamespace(name=name), hub=SimpleNamespace(base_url="/class/hub/")
    )


@pytest.fixture
def configured(tmp_path: Path) -> Config:
    c = Config()
    hub.configure(c, data=tmp_path / "wall", trainers={"ana", "bo"}, title="T", learners=7)
    return loaded(c)


def test_the_wall_is_a_service_that_everybody_may_open(configured: Config, tmp_path: Path):
    (wall,) = configured.JupyterHub.services
    assert wall["command"][-3:] == ["--port=8090", "--title=T", "--learners=7"]
    assert {f"--data={tmp_path / 'wall'}", "--trainer=ana", "--trainer=bo"} <= {*wall["command"]}
    assert wall["url"] == "http://127.0.0.1:8091"
    everybody, trainers = configured.JupyterHub.load_roles
    assert everybody["scopes"] == ["self", "access:services!service=wall"]
    assert trainers["users"] == ["ana", "bo"]
    assert set(trainers["scopes"]) & set(configured.JupyterHub.custom_scopes) == {hub.TRAIN}
    assert not [scope for scope in trainers["scopes"] if "access:servers" in scope]


def test_each_learner_has_a_key_of_their_own_that_the_wall_knows(
    configured: Config, tmp_path: Path
):
    roster = Roster((tmp_path / "wall" / "secret").read_text(encoding="ascii").strip())
    environment = configured.Spawner.environment
    own = roster.credentials("zoë")
    assert environment["PUSHER_KEY"](spawner_of("zoë")) == own.key
    assert environment["PUSHER_SECRET"](spawner_of("zoë")) == own.secret
    assert environment["PUSHERKIT_CLASS"](spawner_of("zoë")) == "/class/services/wall/"
    (wall,) = configured.JupyterHub.services
    assert Roster(wall["environment"][hub.CLASS_SECRET]).credentials("zoë") == own


def test_a_learners_server_is_not_given_the_class_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It's in the environment of the hub, and of the wall."""
    monkeypatch.setenv(hub.CLASS_SECRET, secret := "s" * 64)
    c = Config()
    hub.configure(c, data=tmp_path, trainers=[])
    given = loaded(c).Spawner.environment
    assert hub.CLASS_SECRET not in {*given, *Spawner().env_keep}
    for value in given.values():
        assert secret not in (value(spawner_of("zoë")) if callable(value) else value)


def test_what_a_hub_was_configured_with_stays(tmp_path: Path):
    c = Config()
    c.JupyterHub.services = [{"name": "another"}]
    c.JupyterHub.load_roles = [{"name": "another"}]
    c.JupyterHub.custom_scopes = {"custom:another:scope": {"description": "Another."}}
    c.Spawner.environment = {"EDITOR": "ed"}
    hub.configure(c, data=tmp_path, trainers=[])
    assert [each["name"] for each in c.JupyterHub.services] == ["another", "wall"]
    assert c.JupyterHub.load_roles[0] == {"name": "another"}
    assert c.JupyterHub.custom_scopes.keys() == {"custom:another:scope", hub.TRAIN}
    assert c.Spawner.environment["EDITOR"] == "ed"


def test_the_example_configures_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PUSHERKIT_DATA", str(tmp_path))
    c = Config()
    runpy.run_path(str(ROOT / "class/jupyterhub_config.py"), {"get_config": lambda: c})
    assert loaded(c).JupyterHub.services[0]["user"] == "pusherkit"
    assert c.Spawner.cmd == ["/opt/tljh/user/bin/python", "-m", "pusherkit.classroom.learner"]


def test_a_laptops_hub_listens_where_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    parents: list[int] = []
    monkeypatch.setattr(hub, "_end_with", parents.append)
    folder = tmp_path / "a {odd} folder"
    (folder / "hub").mkdir(parents=True)
    kept = invite(None, "T", ["01"])
    ports = {"hub": 1, "proxy": 2, "pages": 3, "api": 4}
    save(folder, type(kept)(title="T", names=kept.names, tokens=kept.tokens, ports=ports))
    (folder / "hub" / "settings.json").write_text(
        '{"bind_url": "https://192.168.1.5:8000/c/", "certificate": "c", "key": "k", '
        '"proxy": ["p"], "line_token": "t", "parent": 4711}',
        encoding="utf-8",
    )
    c = Config()
    hub.configure_laptop(c, folder)
    assert parents == [4711]
    wall = next(each for each in loaded(c).JupyterHub.services if each["name"] == hub.WALL)
    (names,) = (each for each in wall["command"] if each.startswith("--names="))
    assert read_names(Path(names.removeprefix("--names="))) == ["01"]
    assert c.JupyterHub.bind_url == "https://192.168.1.5:8000/c/"
    assert (c.JupyterHub.hub_ip, c.JupyterHub.hub_port) == ("127.0.0.1", 1)
    assert loaded(c).Spawner.environment["PUSHER_HOST"] == "http://127.0.0.1:4"
    template = c.SimpleLocalProcessSpawner.home_dir_template
    assert template.format(username="01") == str(folder / "homes" / "01")


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what a learner's server sets in the environment for the Jupyter it starts."""
    for name in ("JUPYTERHUB_ROOT_DIR", "JUPYTERHUB_DEFAULT_URL", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_a_learners_server_opens_where_they_left_off(tmp_path: Path, unset: None):
    learner.prepare(tmp_path)
    assert os.environ["JUPYTERHUB_ROOT_DIR"] == str(tmp_path / lab.COPY)
    assert os.environ["JUPYTERHUB_DEFAULT_URL"] == "/doc/tree/00-start-here.ipynb"
    assert os.environ["JUPYTER_CONFIG_PATH"] == str(lab.CONFIG)
    mine = tmp_path / lab.COPY / "00-start-here.ipynb"
    mine.write_text("mine", encoding="utf-8")
    learner.prepare(tmp_path)
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_home_that_cannot_be_written_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / lab.COPY).write_text("a file where the folder should be", encoding="utf-8")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_URL", raising=False)
    assert learner.main() == 1
    assert "The lessons cannot be copied to" in capsys.readouterr().err


def test_whoever_opens_a_server_with_such_a_home_reads_what_is_wrong_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("JUPYTERHUB_ROOT_DIR", "JUPYTERHUB_DEFAULT_URL", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, "")
    (tmp_path / lab.COPY).write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(PusherError) as caught:
        learner.prepare(tmp_path)
    excuse = learner.Excuse(tmp_path, "http://127.0.0.1:0/user/zo%C3%AB/", caught.value)
    server = threading.Thread(target=excuse.until_prepared)
    server.start()
    url = f"http://127.0.0.1:{excuse.server_port}/user/zo%C3%AB/doc/tree/00-start-here.ipynb"
    with httpx.Client(trust_env=False) as visitor:
        page = visitor.get(url)
        # 200: the hub waits for a server whose answers are 5xx.
        assert (page.status_code, page.headers["Refresh"]) == (200, "10")
        assert "be copied to your home: File exists. Tell your trainer." in page.text
        assert str(tmp_path) not in page.text
        (tmp_path / lab.COPY).unlink()
        page = visitor.get(url)
        assert "Your lessons open in a moment." in page.text
    server.join(10)
    assert not server.is_alive()
    assert (tmp_path / lab.COPY / "00-start-here.ipynb").is_file()
