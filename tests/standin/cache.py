"""The prompt cache, and what a request is charged for with it. Tokens are bytes / 4."""

import hashlib
import json
import threading
import time

BREAKPOINTS = 4
LOOKBACK = 20
MIN_TOKENS = {
    "claude-opus-4-8": 1024, "claude-sonnet-5": 1024, "claude-sonnet-4-6": 1024, "claude-sonnet-4-5": 1024,
    "claude-opus-4-7": 2048, "claude-opus-4-6": 4096, "claude-opus-4-5": 4096, "claude-haiku-4-5": 4096,
}
MIN_TOKENS_OF_OTHERS = 512
SECONDS = {"5m": 300, "1h": 3600}


def as_blocks(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def positions(body):
    """All blocks of a request in the order of the cache: tools, system, messages; with whose they are."""
    yield from (("tools", block) for block in body.get("tools") or [])
    yield from (("system", block) for block in as_blocks(body.get("system")))
    for message in body.get("messages", []):
        yield from ((message.get("role"), block) for block in as_blocks(message.get("content")))


def breakpoints(body):
    """The lifetime that is asked for at each position, or None. A cache_control of the whole marks the last block."""
    marks = [block.get("cache_control") for _, block in positions(body)]
    if body.get("cache_control") and marks:
        marks[-1] = marks[-1] or body["cache_control"]
    return [mark and mark.get("ttl", "5m") for mark in marks]


def size_of(block):
    if block.get("type") == "text":
        return len(block["text"].encode("utf-8", "surrogatepass"))
    return len(json.dumps(block))


def tokens_in(value):
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) // 4


class Charge:
    """What one request costs, and the entries that it writes once its answer has begun."""

    def __init__(self, read, written, total, entries):
        self.entries = entries
        self.usage = {
            "input_tokens": total - read - sum(written.values()),
            "cache_creation_input_tokens": sum(written.values()), "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": written.get(ttl, 0) for ttl in SECONDS},
        }


class Cache:
    """told: true, or the seconds of each lifetime, as {"5m": 1}."""

    def __init__(self, told):
        self.seconds = {**SECONDS, **(told if isinstance(told, dict) else {})}
        self.ends = {}
        self.lock = threading.Lock()
        self.stats = {"input": 0, "write_5m": 0, "write_1h": 0, "read": 0, "output": 0, "requests": 0}

    @staticmethod
    def prefixes(body):
        """For each position the hash of all up to it, and its tokens."""
        digest = hashlib.sha256(json.dumps([body.get("model"), body.get("thinking")]).encode())
        size, made = 0, []
        for whose, block in positions(body):
            plain = {key: value for key, value in block.items() if key != "cache_control"}
            digest.update(json.dumps([whose, plain], sort_keys=True).encode())
            size += size_of(plain)
            made.append((digest.hexdigest(), size // 4))
        return made

    def charge(self, body):
        prefixes, marks = self.prefixes(body), breakpoints(body)
        least = MIN_TOKENS.get(body.get("model"), MIN_TOKENS_OF_OTHERS)
        marked = [at for at, ttl in enumerate(marks) if ttl and prefixes[at][1] >= least]
        now = time.monotonic()
        with self.lock:
            read, begins = self.found(prefixes, marked, now)
        entries, written, done = [], {}, read
        for at in marked:
            name, tokens = prefixes[at]
            entries.append((name, now + self.seconds[marks[at]]))
            if at > begins:
                written[marks[at]] = written.get(marks[at], 0) + tokens - done
                done = tokens
        return Charge(read, written, prefixes[-1][1] if prefixes else 0, entries)

    def found(self, prefixes, marked, now):
        """The longest prefix that is there: its tokens and its position (-1: none)."""
        for at in reversed(marked):
            for back in range(at, max(at - LOOKBACK, -1), -1):
                if self.ends.get(prefixes[back][0], 0) > now:
                    return prefixes[back][1], back
        return 0, -1

    def begun(self, charge):
        """The answer begins: from now on others can read what this one wrote."""
        with self.lock:
            for name, end in charge.entries:
                self.ends[name] = max(self.ends.get(name, 0), end)

    def count(self, usage):
        with self.lock:
            self.stats["requests"] += 1
            self.stats["input"] += usage["input_tokens"]
            self.stats["read"] += usage["cache_read_input_tokens"]
            self.stats["output"] += usage["output_tokens"]
            for ttl in SECONDS:
                self.stats["write_" + ttl] += usage["cache_creation"][f"ephemeral_{ttl}_input_tokens"]

    def snapshot(self):
        with self.lock:
            return dict(self.stats)
