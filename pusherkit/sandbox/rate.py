"""A token bucket: so many per second, and no more. Pure; time is an argument."""

from __future__ import annotations

import math
from collections import OrderedDict


class TokenBucket:
    """Holds `rate` tokens, at least one, refilled by `rate` per second. A request takes one."""

    def __init__(self, rate: float) -> None:
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"rate: expected requests per second, above 0; got {rate!r}.")
        self.rate = rate
        self._capacity = max(1.0, rate)
        self._tokens = self._capacity
        self._at: float | None = None

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take as many tokens and return 0, or return the seconds until they are there."""
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._tokens = min(self._capacity, self._tokens + elapsed * self.rate)
        if self._tokens >= cost:
            self._tokens -= cost
            return 0.0
        return (cost - self._tokens) / self.rate


class TokenBuckets:
    """A bucket of `rate` tokens for each name, as long as it's one of the `most` used last."""

    def __init__(self, rate: float, most: int) -> None:
        self.rate, self._most = rate, most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """Take a token of that name's and return 0, or return the seconds until there is one."""
        bucket = self._buckets.setdefault(name, TokenBucket(self.rate))
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take(now)
