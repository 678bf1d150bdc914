"""The lessons' practice server, without and with a socket."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pusherkit.errors import InvalidEvent
from pusherkit.lessons.kit import Practice, practice


@pytest.mark.parametrize("make", [Practice, practice])
def test_a_courier_joins_a_presence_channel_and_is_counted(make: Callable[[], Practice]) -> None:
    server = make()
    with server.subscribe("presence-couriers", user_id="ben"):
        answer = server.client.channels(prefix="presence-", info=["user_count"])
        assert answer["channels"] == {"presence-couriers": {"user_count": 1}}
    with pytest.raises(InvalidEvent, match="presence-couriers"):
        server.subscribe("presence-couriers")
