"""What test_laws.py and test_fuzz.py draw from, and how long: Hypothesis' profiles.

Every run takes the short profile, whose examples are always the same. The long one makes about a
million requests, others each time, in hours: `pytest tests/test_laws.py tests/test_fuzz.py
--hypothesis-profile=long`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# No deadline: a loaded machine is no defect. No database: a checkout stays as it is.
settings.register_profile(
    "short", max_examples=60, derandomize=True, deadline=None, database=None, print_blob=True
)
settings.register_profile(
    "long", max_examples=100_000, deadline=None, database=None, print_blob=True
)
settings.load_profile("short")


def examples(share: float, **options: Any) -> settings:
    """Settings for a test that takes this share of the profile's number of examples."""
    count = max(1, round(settings.default.max_examples * share))
    return settings(max_examples=count, **options)


TEXT = st.text()  # any that has bytes in UTF-8
ANY_TEXT = st.text(st.characters())  # halves of surrogate pairs, too


# Whatever json.dumps writes; also what JSON has no word for, NaN and infinity.
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def mutations(
    draw: Callable[..., Any], originals: st.SearchStrategy[bytes], tokens: st.SearchStrategy[bytes]
) -> bytes:
    """An original after up to four edits: bits flipped, bytes cut, doubled, put in, cut off."""
    data = draw(originals)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["flip", "cut", "double", "put in", "splice", "truncate"])):
            case "flip" if at < len(data):
                data = flipped(data, 8 * at + draw(st.integers(0, 7)))
            case "cut":
                data = data[:at] + data[to:]
            case "double":
                data = data[:to] + data[at:]
            case "put in":
                data = data[:at] + draw(tokens) + data[at:]
            case "splice":
                data = data[:at] + draw(originals)[at:]
            case "truncate":
                data = data[:at]
    return data


def flipped(data: bytes, bit: int) -> bytes:
    """The same bytes but for one bit."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
