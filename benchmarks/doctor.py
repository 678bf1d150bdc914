"""The doctor's full search against as many bare hashes as it makes."""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.measure import Run, against, per_call, ratio
from benchmarks.report import Row, Target
from benchmarks.signing import CREDENTIALS, PATH, TIMESTAMP, event_of
from pusherkit import Diagnosis, diagnose, sign

ONE_SHOT = "hmac"  # hmac.digest(), nearly always with SHA-256


def hashes_of(function: Callable[[], object]) -> Counter[str]:
    """How many hashes a call finishes, by algorithm; counted where they come out of C."""
    finished: Counter[str] = Counter()

    def note(frame: object, event: str, called: Any) -> None:
        if event != "c_call":
            return
        if called.__name__ == "hmac_digest":
            finished[ONE_SHOT] += 1
        elif called.__name__ in ("digest", "hexdigest"):
            name = called.__self__.name
            finished[ONE_SHOT if name.startswith("hmac") else name] += 1

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return finished


def bare(finished: Counter[str], body: bytes) -> Callable[[], None]:
    """The same number of hashes and nothing else: MD5s of the body, the others of the text."""
    text = sign(CREDENTIALS, "POST", PATH, body=body, timestamp=TIMESTAMP).canonical_string
    secret, message = CREDENTIALS.secret.encode(), text.encode()
    plain = [
        (getattr(hashlib, name), body if name == "md5" else message)
        for name in finished.elements()
        if name != ONE_SHOT
    ]

    def run() -> None:
        for _ in range(finished[ONE_SHOT]):
            hmac.digest(secret, message, "sha256")
        for function, hashed in plain:
            function(hashed).digest()

    return run


def search_of(body: bytes) -> Callable[[], Diagnosis]:
    """The doctor at a request with this body, whose signature no mistake makes."""
    signature = sign(CREDENTIALS, "POST", PATH, body=body, timestamp=TIMESTAMP)
    params = [*signature.params, ("auth_signature", "0" * 64)]
    return lambda: diagnose(CREDENTIALS, "POST", PATH, params, body)


def run(run: Run) -> Iterator[Row]:
    """The search against bare hashes, and a large body against a small one."""
    small, large = (event_of(size)[1] for size in (84, 102_400))
    search = search_of(small)
    assert not search().findings, "the search ended early"
    finished = hashes_of(search)
    works = {
        "search": per_call(search),
        "bare": per_call(bare(finished, small)),
        "large": per_call(search_of(large)),
    }
    times = run.interleave("doctor: full searches", works, run.pick(full=30, quick=8))
    yield Row(
        figure="84 B: a full search that finds nothing ÷ as many bare hashes",
        ratio=ratio(times["search"], times["bare"]),
        target=Target("<", 2),
        measured=f"{finished.total():,} hashes: {against(times['search'], times['bare'])}",
        if_missed="It goes to building each candidate's text",
    )
    yield Row(
        figure="100 KB: the same search ÷ 84 B",
        ratio=ratio(times["large"], times["search"]),
        measured=against(times["large"], times["search"]),
    )
