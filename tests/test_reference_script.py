"""The API reference's own way to publish, bash and curl, against the practice server."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pusherkit.subscriber import Subscriber

SCRIPT = Path(__file__).with_name("curl_example.sh")
BODY = '{"name":"message","channel":"chat","data":"{\\"text\\":\\"hello\\"}"}'
TOOLS = ("bash", "awk", "curl", "date", "md5sum", "openssl")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the script needs {', '.join(MISSING)}")


@pytest.fixture
def publish(server):
    """Run the script; return the status and the text of the answer."""

    def run(**environment: str) -> tuple[int, str]:
        account = server.credentials
        settings = {"PATH": os.environ["PATH"], "BASE_URL": server.url, "APP_ID": account.app_id}
        settings |= {"KEY": account.key, "SECRET": account.secret} | environment
        ran = subprocess.run(
            ["bash", str(SCRIPT)], env=settings, capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        text, status = ran.stdout.rstrip("\n").rsplit("\n", 1)
        return int(status), text

    return run


def test_the_script_publishes(server, publish):
    with Subscriber(server.credentials, "chat") as subscriber:
        assert publish() == (200, "{}")
        message = subscriber.receive()
    assert (message.event, message.data) == ("message", '{"text":"hello"}')


def test_the_script_hashes_the_body_named_here():
    assert f"BODY='{BODY}'\n" in SCRIPT.read_text(encoding="utf-8")


def test_one_byte_changed_after_hashing_is_explained(publish):
    sent = BODY.replace("hello", "hullo")
    status, text = publish(SEND=sent)
    told = json.loads(text)
    assert status == 401
    assert told["rule"] == "body_md5"
    hashed, arrived = (hashlib.md5(body.encode()).hexdigest() for body in (BODY, sent))
    (check,) = (check for check in told["checks"] if check["rule"] == "body_md5")
    assert (check["passed"], check["received"]) == (False, hashed)
    assert arrived in check["expected"]
    assert hashed in told["error"]
    assert arrived in told["error"]
    assert "Hash the exact bytes that you send" in told["fix"]


def test_a_wrong_secret_is_explained_and_the_right_one_kept(publish, server):
    status, text = publish(SECRET="not-the-one")
    assert status == 401
    assert json.loads(text)["rule"] == "auth_signature"
    assert server.credentials.secret not in text
