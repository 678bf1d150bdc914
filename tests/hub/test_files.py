"""class/: values that the chart accepts, a wall that fits them, an image that fits pyproject."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from pusherkit.classroom.roster import Roster

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(Path(__file__).with_name("chart").joinpath("values.schema.json").read_bytes())
VALUES = yaml.safe_load((ROOT / "class" / "values.yaml").read_text(encoding="utf-8"))
WALL = {
    each["kind"]: each
    for each in yaml.safe_load_all((ROOT / "class" / "wall.yaml").read_text(encoding="utf-8"))
}
POD = WALL["Deployment"]["spec"]["template"]
CONTAINER = POD["spec"]["containers"][0]
ENVIRONMENT = {each["name"]: each for each in CONTAINER["env"]}
CLASS_SECRET = "orchard-lane-7731-orchard-lane-7731"


def objections(values: dict[str, Any]) -> list[str]:
    """What the chart says. Values are merged with the chart's own first, so none are missing."""
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(values)
    return [f"{each.json_path}: {each.message}" for each in errors if each.validator != "required"]


def test_the_chart_accepts_the_values():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert objections(VALUES) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("singleuser", "memory", "limt"), "1G"),
        (("hub", "loadRole"), {}),
        (("cull", "timeout"), "two hours"),
        (("singleuser", "networkPolicy", "egress"), {}),
    ],
)
def test_the_chart_objects_to_a_slip(path: tuple[str, ...], value: object):
    changed = json.loads(json.dumps(VALUES))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (objection,) = objections(changed)
    assert objection.startswith("$." + ".".join(path[:-1]))


@pytest.mark.parametrize("name", ["ana", "zoë", "Anna Lena", "a_b", "李雷", "o'brien@example.com"])
def test_a_learners_credentials_are_those_that_the_wall_expects(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PUSHERKIT_CLASS_SECRET", CLASS_SECRET)
    environment: dict[str, Any] = {}
    c = SimpleNamespace(KubeSpawner=SimpleNamespace(environment=environment))
    exec(VALUES["hub"]["extraConfig"]["pusherkit"], {"c": c})  # as the chart does
    spawner = SimpleNamespace(user=SimpleNamespace(name=name))
    own = Roster(CLASS_SECRET).credentials(name)
    assert environment["PUSHER_APP_ID"] == own.app_id
    assert environment["PUSHER_KEY"](spawner) == own.key
    assert environment["PUSHER_SECRET"](spawner) == own.secret


def test_the_hub_and_the_wall_have_one_secret():
    of_hub = VALUES["hub"]["extraEnv"]["PUSHERKIT_CLASS_SECRET"]["valueFrom"]["secretKeyRef"]
    of_wall = ENVIRONMENT["PUSHERKIT_CLASS_SECRET"]["valueFrom"]["secretKeyRef"]
    assert of_hub == of_wall


def test_the_hub_and_the_wall_agree_on_names_and_ports():
    extra = VALUES["hub"]["extraConfig"]["pusherkit"]
    service = VALUES["hub"]["services"]["wall"]
    ports = {each["name"]: each["port"] for each in WALL["Service"]["spec"]["ports"]}
    host = WALL["Service"]["metadata"]["name"]
    assert service["url"] == f"http://{host}:{ports['pages']}"
    assert f'"PUSHER_HOST": "http://{host}:{ports["api"]}"' in extra
    assert ENVIRONMENT["JUPYTERHUB_SERVICE_URL"]["value"] == f"http://0.0.0.0:{ports['pages']}"
    assert ENVIRONMENT["JUPYTERHUB_SERVICE_NAME"]["value"] == "wall"
    assert ENVIRONMENT["JUPYTERHUB_CLIENT_ID"]["value"] == "service-wall"
    prefix = ENVIRONMENT["JUPYTERHUB_SERVICE_PREFIX"]["value"]
    assert f'"PUSHERKIT_CLASS": "{prefix}"' in extra
    token = ENVIRONMENT["JUPYTERHUB_API_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert token == {"name": "hub", "key": "hub.services.wall.apiToken"}
    assert f"--port={ports['api']}" in CONTAINER["command"]
    assert f"--allow-host={host}" in CONTAINER["command"]
    assert {each["containerPort"] for each in CONTAINER["ports"]} == set(ports.values())


def test_learners_programs_may_reach_the_walls_api_and_nothing_else_of_it():
    labels = POD["metadata"]["labels"]
    (rule,) = VALUES["singleuser"]["networkPolicy"]["egress"]
    (to,) = rule["to"]
    assert to["podSelector"]["matchLabels"].items() <= labels.items()
    assert rule["ports"] == [{"port": 8090, "protocol": "TCP"}]
    policy = WALL["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    api, pages = policy["ingress"]
    assert [each["port"] for each in api["ports"]] == [8090]
    assert api["from"] == [{"podSelector": {"matchLabels": {"component": "singleuser-server"}}}]
    assert [each["port"] for each in pages["ports"]] == [8091]
    assert pages["from"] == [{"podSelector": {"matchLabels": {"component": "proxy"}}}]
    assert WALL["Service"]["spec"]["selector"].items() <= labels.items()
    assert WALL["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_scopes_are_those_that_the_walls_door_asks_for():
    roles, service = VALUES["hub"]["loadRoles"], VALUES["hub"]["services"]["wall"]
    train, access = "custom:wall:train", "access:services!service=wall"
    assert set(service["oauth_client_allowed_scopes"]) == {train, access}
    assert roles["user"]["scopes"] == ["self", access]
    assert train in roles["pusherkit-trainer"]["scopes"]
    assert list(VALUES["hub"]["config"]["JupyterHub"]["custom_scopes"]) == [train]


def test_the_image_has_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    asked = [*project["dependencies"], *optional["lab"], *optional["class"]]
    lines = (ROOT / "class" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    for requirement in map(Requirement, asked):
        if requirement.name != "pusherkit":
            assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement
    assert pinned["jupyterhub"].startswith("5.5."), "as in the chart's hub"


def test_the_image_is_built_from_files_that_exist():
    text = (ROOT / "class" / "Dockerfile").read_text(encoding="utf-8")
    for copied in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in copied.split():
            assert (ROOT / name).exists(), name
    assert 'CMD ["python", "-m", "pusherkit.classroom.learner"]' in text
    assert VALUES["singleuser"]["cmd"] == ["python", "-m", "pusherkit.classroom.learner"]
    image = VALUES["singleuser"]["image"]
    assert CONTAINER["image"] == f"{image['name']}:{image['tag']}"
