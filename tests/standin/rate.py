"""A limit of requests as the API enforces it: a token bucket with continuous refill."""

import math
import threading
import time


def stamp(wall):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(wall)))


class Rate:
    """{"requests_per_second": N, "burst": N}; burst: what may come at once (a second's worth)."""

    def __init__(self, told):
        self.per_second = float(told["requests_per_second"])
        self.burst = float(told.get("burst", self.per_second))
        self.left = self.burst
        self.at = time.monotonic()
        self.lock = threading.Lock()
        self.stats = {"allowed": 0, "denied": 0, "first": None, "last": None, "by_second": {}}

    def take(self):
        """The headers to send, and whether the request may go on. Times in stats are seconds since the first one."""
        with self.lock:
            now = time.monotonic()
            self.left = min(self.burst, self.left + (now - self.at) * self.per_second)
            self.at = now
            allowed = self.left >= 1
            if allowed:
                self.left -= 1
            self.count(now, allowed)
            return self.headers(allowed), allowed

    def count(self, now, allowed):
        stats = self.stats
        stats["allowed" if allowed else "denied"] += 1
        if allowed:
            if stats["first"] is None:
                stats["first"] = now
            stats["last"] = now
        second = str(int(now - (stats["first"] if stats["first"] is not None else now)))
        pair = stats["by_second"].setdefault(second, [0, 0])
        pair[0 if allowed else 1] += 1

    def headers(self, allowed):
        full = time.time() + (self.burst - self.left) / self.per_second
        told = {
            "anthropic-ratelimit-requests-limit": str(round(self.per_second * 60)),
            "anthropic-ratelimit-requests-remaining": str(int(self.left)),
            "anthropic-ratelimit-requests-reset": stamp(full),
        }
        if not allowed:
            told["retry-after"] = str(max(1, math.ceil((1 - self.left) / self.per_second)))
        return told

    def snapshot(self):
        with self.lock:
            return {**self.stats, "by_second": dict(self.stats["by_second"])}
