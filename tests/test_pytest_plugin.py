"""The fixture that other projects use."""

from __future__ import annotations

import pytest

from pusherkit import Client, Unauthorized
from pusherkit.sandbox import SandboxServer

pytest_plugins = ["pytester"]


def test_it_is_a_running_server_that_remembers_what_was_published(
    pusher_sandbox: SandboxServer,
) -> None:
    assert pusher_sandbox.running
    assert pusher_sandbox.events == pusher_sandbox.log == ()
    with Client(pusher_sandbox.credentials) as client:
        client.trigger(["a", "b"], "n", "d", "1.2")
    (event,) = pusher_sandbox.events
    assert (event.channels, event.name, event.data) == (("a", "b"), "n", "d")
    assert event.socket_id == "1.2"
    assert [entry.reply.status for entry in pusher_sandbox.log] == [200]


def test_what_was_refused_was_not_published(pusher_sandbox: SandboxServer) -> None:
    with (
        Client(pusher_sandbox.credentials, clock=lambda: 0) as client,
        pytest.raises(Unauthorized, match="Timestamp expired"),
    ):
        client.trigger("a", "n", "d")
    assert pusher_sandbox.events == ()
    assert [entry.reply.status for entry in pusher_sandbox.log] == [401]


@pytest.mark.slow
def test_each_test_has_its_own_and_it_ends_with_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        seen = []

        def use(server):
            assert server.running and not server.events
            seen.append(server)

        def test_one(pusher_sandbox): use(pusher_sandbox)
        def test_two(pusher_sandbox): use(pusher_sandbox)

        def test_after():
            assert len(set(map(id, seen))) == 2
            assert not any(server.running for server in seen)
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


@pytest.mark.slow
def test_it_is_listed_with_what_it_is_for(pytester: pytest.Pytester) -> None:
    listed = pytester.runpytest_subprocess("--fixtures")
    listed.stdout.fnmatch_lines(["pusher_sandbox *", "*A running practice server*"])
