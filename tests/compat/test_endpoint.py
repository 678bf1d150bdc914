"""Lesson 09's endpoint, asked by npm's pusher-js: as a learner's own Node would ask it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

import pytest

from pusherkit.lessons import who_may_listen as lesson

from .table import NPM_VERSIONS


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        user = lesson.SESSIONS.get(self.headers["X-Session"])
        app = lesson.practice().credentials
        status, answer = lesson.authorize(app, user, form["socket_id"], form["channel_name"])
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


@pytest.mark.parametrize(("session", "channel"), lesson.VISITS)
def test_pusher_js_joins_where_the_endpoint_says_so(node_modules, monkeypatch, session, channel):
    monkeypatch.setenv("NODE_PATH", str(node_modules))
    endpoint = lesson.run(Endpoint)
    got = lesson.join_through(endpoint, session, channel)
    endpoint.stop()
    assert got.client == f"npm's pusher-js {NPM_VERSIONS['pusher-js']}"
    assert got.is_in is lesson.may_join(lesson.SESSIONS.get(session), channel)
    assert ("out for delivery" if got.is_in else "received status: 403") in got.said
    assert "http://127" not in got.said
