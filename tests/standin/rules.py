"""The script of the stand-in: its rules, and what they can look at in a request."""

import json
import os
import re
import threading

MATCH_KEYS = {"marker", "model", "contains", "turn", "stream", "nth", "messages", "asked"}
REPLY_KEYS = {
    "text", "text_bytes", "blocks", "tool", "content", "status", "headers", "error", "body", "retry_after_date",
    "delay_ms", "gap_ms", "chunks", "pings", "cut_after_bytes", "stop_reason", "stop_sequence", "stop_details", "usage",
    "hold", "hold_after", "error_event", "noise", "crlf", "write_bytes", "hang_up",
}
SCRIPT_KEYS = {"rules", "check", "models", "cache", "rate"}


class ScriptError(Exception):
    pass


class Request:
    """What a rule can look at in the body of a POST."""

    def __init__(self, body):
        self.body = body
        self.model = body.get("model", "")
        self.stream = bool(body.get("stream"))
        self.messages = len(body.get("messages", []))
        users = [m for m in body.get("messages", []) if m.get("role") == "user"]
        self.texts = [text for m in users for text in self.texts_of(m)]
        self.last = "\n".join(self.texts_of(users[-1])) if users else ""
        self.tool_results = [b for m in users for b in self.blocks(m) if b["type"] == "tool_result"]
        self.turn = sum(any(b["type"] == "tool_result" for b in self.blocks(m)) for m in users)
        found = re.search(r"\[\[([^\[\]\s]+)\]\]", "\n".join(self.texts))
        self.marker = found.group(1) if found else ""

    @staticmethod
    def blocks(message):
        content = message.get("content", [])
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    @classmethod
    def texts_of(cls, message):
        return [b["text"] for b in cls.blocks(message) if b["type"] == "text"]

    def context(self):
        """All that claude says by itself: the system prompt and the system entries of the conversation."""
        system = self.body.get("system", "")
        said = [system] if isinstance(system, str) else [b.get("text", "") for b in system]
        for message in self.body.get("messages", []):
            if message.get("role") == "system":
                said += self.texts_of(message)
        return "\n".join(said + self.texts)

    def cwd(self):
        found = re.search(r"working directory: (/[^\n]*)", self.context(), re.IGNORECASE)
        return found.group(1).strip() if found else "/"

    def schema(self):
        """Of the structured output that is asked for, or None."""
        return ((self.body.get("output_config") or {}).get("format") or {}).get("schema")

    def matches(self, want):
        return (
            want.get("marker", self.marker) == self.marker
            and want.get("model", self.model) == self.model
            and want.get("contains", "") in self.last
            and want.get("turn", self.turn) == self.turn
            and want.get("stream", self.stream) == self.stream
            and want.get("messages", self.messages) == self.messages
        )


class Script:
    """The rules, read again whenever the file has changed; counts survive that by a rule's position."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.modes = {}
        self.rules = []
        self.seen = {}
        self.used = {}
        self.asked = {}
        self.lock = threading.Lock()
        self.refresh()

    def refresh(self):
        if not self.path:
            return
        stat = os.stat(self.path)
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if stamp != self.stamp:
            with open(self.path, encoding="utf-8") as file:
                script = json.load(file)
            script = {"rules": script} if isinstance(script, list) else script
            self.rules = self.checked(script)
            self.modes = script
            self.stamp = stamp

    @staticmethod
    def checked(script):
        rules = script.get("rules", []) if isinstance(script, dict) else None
        if not isinstance(rules, list):
            raise ScriptError("a script is a list of rules, or a map with one")
        if set(script) - SCRIPT_KEYS:
            raise ScriptError(f"unknown key {', '.join(sorted(set(script) - SCRIPT_KEYS))}")
        for n, rule in enumerate(rules):
            unknown = set(rule) - {"match", "times", "reply"}
            unknown |= set(rule.get("match", {})) - MATCH_KEYS
            unknown |= set(rule.get("reply", {})) - REPLY_KEYS
            if unknown:
                raise ScriptError(f"rule {n}: unknown key {', '.join(sorted(unknown))}")
        return rules

    def mode(self, name):
        """What the script says beside its rules: check, models, cache, rate."""
        with self.lock:
            self.refresh()
            return self.modes.get(name)

    def reply_to(self, request):
        """The reply of the first rule that matches, with that rule's number; None if none does."""
        with self.lock:
            self.refresh()
            asked = self.asked[request.marker] = self.asked.get(request.marker, 0) + 1
            for n, rule in enumerate(self.rules):
                want = rule.get("match", {})
                if not request.matches(want) or want.get("asked", asked) != asked:
                    continue
                self.seen[n] = self.seen.get(n, 0) + 1
                if want.get("nth", self.seen[n]) != self.seen[n]:
                    continue
                if self.used.get(n, 0) >= rule.get("times", float("inf")):
                    continue
                self.used[n] = self.used.get(n, 0) + 1
                return rule.get("reply", {}), n
        return None, None


def substitute(value, names):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: names.get(m.group(1), m.group(0)), value)
    if isinstance(value, list):
        return [substitute(v, names) for v in value]
    if isinstance(value, dict):
        return {k: substitute(v, names) for k, v in value.items()}
    return value
