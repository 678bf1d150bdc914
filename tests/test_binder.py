"""Binder reads binder/ as intended, as far as repo2docker shows without an engine.

What it cannot show, scripts/emulate_binder.sh does: that the installs succeed and the lessons run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "pusherkit/jupyter-config"  # postBuild copies it into the image
OVERRIDES = json.loads(
    (CONFIG / "labconfig/default_setting_overrides.json").read_text(encoding="utf-8")
)
JUPYTER = Path(sys.prefix, "share/jupyter")
# In this order: the package can only be installed from a checkout that is already there.
STEPS = [
    "COPY --chown=0:0 src/ ${REPO_DIR}/",
    'RUN ${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir -r "binder/requirements.txt"',
    "RUN chmod +x binder/postBuild",
    "RUN ./binder/postBuild",
]


@pytest.fixture(scope="module")
def build():
    beside = str(Path(sys.executable).parent)
    tool = shutil.which("repo2docker", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if tool is None:
        pytest.skip('repo2docker is not installed: pip install -e ".[binder]"')
    return subprocess.run(
        [tool, "--no-build", "."], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_repo2docker_accepts_the_checkout(build):
    assert build.returncode == 0, build.stderr


def test_python_is_the_one_asked_for(build):
    runtime = (ROOT / "binder/runtime.txt").read_text(encoding="utf-8").strip()
    wanted = runtime.replace("python-", "python=")
    assert f"Building conda environment for {wanted}\n" in build.stderr
    assert "Python version unspecified" not in build.stderr


def test_dockerfile_installs_the_checkout_then_runs_post_build(build):
    assert [line for line in build.stdout.splitlines() if line in STEPS] == STEPS


def test_requirements_install_this_checkout_and_leave_jupyterlab_alone():
    lines = (ROOT / "binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert "-e ." in requirements
    assert not [line for line in requirements if line.startswith("jupyterlab")]


def test_post_build_can_run_and_stops_at_the_first_error():
    script = ROOT / "binder/postBuild"
    shebang, *lines = script.read_text(encoding="utf-8").splitlines()
    assert os.access(script, os.X_OK)
    assert shebang == "#!/usr/bin/env bash"
    assert next(line for line in lines if line and not line.startswith("#")) == "set -euo pipefail"


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_jupyterlab_knows_the_settings(plugin):
    package, _, name = plugin.partition(":")
    places = (JUPYTER / "lab/schemas", JUPYTER / "labextensions" / package / "schemas")
    (file,) = (file for each in places if (file := each / package / f"{name}.json").exists())
    schema = json.loads(file.read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False  # or a misspelt setting would pass
    jsonschema.validate(OVERRIDES[plugin], schema)
