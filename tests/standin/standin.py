#!/usr/bin/python3
"""A scripted stand-in for the Messages API on loopback. See README.md beside this file."""

import argparse
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True

import demo
from messages import error_body, events_of, filler, message_of

MAX_BODY = 32 << 20
MAX_HOLD_S = 120
MATCH_KEYS = {"marker", "model", "contains", "turn", "stream", "nth"}
REPLY_KEYS = {
    "text", "text_bytes", "blocks", "tool", "status", "headers", "error", "delay_ms", "gap_ms",
    "chunks", "pings", "cut_after_bytes", "stop_reason", "usage", "hold",
}


class ScriptError(Exception):
    pass


class Request:
    """What a rule can look at in the body of a POST."""

    def __init__(self, body):
        self.body = body
        self.model = body.get("model", "")
        self.stream = bool(body.get("stream"))
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

    def matches(self, want):
        return (
            want.get("marker", self.marker) == self.marker
            and want.get("model", self.model) == self.model
            and want.get("contains", "") in self.last
            and want.get("turn", self.turn) == self.turn
            and want.get("stream", self.stream) == self.stream
        )


class Script:
    """The rules, read again whenever the file has changed; counts survive that by a rule's position."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.rules = []
        self.seen = {}
        self.used = {}
        self.lock = threading.Lock()
        self.refresh()

    def refresh(self):
        if not self.path:
            return
        stat = os.stat(self.path)
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if stamp != self.stamp:
            with open(self.path, encoding="utf-8") as file:
                self.rules = self.checked(json.load(file))
            self.stamp = stamp

    @staticmethod
    def checked(rules):
        if not isinstance(rules, list):
            raise ScriptError("a script is a list of rules")
        for n, rule in enumerate(rules):
            unknown = set(rule) - {"match", "times", "reply"}
            unknown |= set(rule.get("match", {})) - MATCH_KEYS
            unknown |= set(rule.get("reply", {})) - REPLY_KEYS
            if unknown:
                raise ScriptError(f"rule {n}: unknown key {', '.join(sorted(unknown))}")
        return rules

    def reply_to(self, request):
        """The reply of the first rule that matches, with that rule's number; None if none does."""
        with self.lock:
            self.refresh()
            for n, rule in enumerate(self.rules):
                want = rule.get("match", {})
                if not request.matches(want):
                    continue
                self.seen[n] = self.seen.get(n, 0) + 1
                if want.get("nth", self.seen[n]) != self.seen[n]:
                    continue
                if self.used.get(n, 0) >= rule.get("times", float("inf")):
                    continue
                self.used[n] = self.used.get(n, 0) + 1
                return rule.get("reply", {}), n
        return None, None


class Ledger:
    """What was asked and answered: requests.jsonl, a line when an answer is over, and stats.json at every change."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.log = open(os.path.join(folder, "requests.jsonl"), "a", encoding="utf-8")
        self.in_flight = 0
        self.by_model = {}
        self.stats = {
            "in_flight": 0, "max_in_flight": 0, "max_in_flight_by_model": {}, "requests": 0,
            "requests_by_marker": {}, "completed": {}, "finished": {},
        }
        self.save()

    def arrived(self, request):
        with self.lock:
            stats = self.stats
            stats["requests"] += 1
            self.add(stats["requests_by_marker"], request.marker)
            self.in_flight += 1
            self.add(self.by_model, request.model)
            stats["in_flight"] = self.in_flight
            stats["max_in_flight"] = max(stats["max_in_flight"], self.in_flight)
            most = stats["max_in_flight_by_model"]
            most[request.model] = max(most.get(request.model, 0), self.by_model[request.model])
            self.save()
            return {
                "n": stats["requests"], "in_flight": self.in_flight, "max_in_flight": stats["max_in_flight"],
                "in_flight_of_model": self.by_model[request.model],
                "max_in_flight_of_model": most[request.model],
            }

    def over(self, request, entry):
        with self.lock:
            self.in_flight -= 1
            self.by_model[request.model] -= 1
            self.stats["in_flight"] = self.in_flight
            if entry["completed"] and entry["status"] == 200:
                self.add(self.stats["completed"], request.marker)
                if entry["stop_reason"] != "tool_use":
                    self.add(self.stats["finished"], request.marker)
            self.write(entry)
            self.save()

    def other(self, entry):
        with self.lock:
            self.write(entry)

    @staticmethod
    def add(counts, key):
        counts[key] = counts.get(key, 0) + 1

    def write(self, entry):
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

    def save(self):
        write_whole(os.path.join(self.folder, "stats.json"), json.dumps(self.stats) + "\n")


def write_whole(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def substitute(value, names):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: names.get(m.group(1), m.group(0)), value)
    if isinstance(value, list):
        return [substitute(v, names) for v in value]
    if isinstance(value, dict):
        return {k: substitute(v, names) for k, v in value.items()}
    return value


class ClientGone(Exception):
    pass


class Cut(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.note(self.plain(200, None))

    def do_GET(self):
        if self.path == "/_stats":
            with self.server.ledger.lock:
                stats = dict(self.server.ledger.stats)
            self.plain(200, stats)
        else:
            self.not_found()

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if not 0 < length <= MAX_BODY:
            self.close_connection = True
            self.note(self.plain(413, error_body("request_too_large", f"body of {length} bytes")))
            return
        raw = self.rfile.read(length)
        path = self.path.split("?")[0]
        if path == "/v1/messages":
            self.messages(raw)
        elif path == "/v1/messages/count_tokens":
            self.note(self.plain(200, {"input_tokens": length // 4}))
        else:
            self.not_found()

    def not_found(self):
        self.note(self.plain(404, error_body("not_found_error", f"no such path: {self.path}")))

    def note(self, status):
        self.server.ledger.other(self.entry(status=status))

    def entry(self, **more):
        names = {k.lower(): v for k, v in self.headers.items()}
        return {
            "time": round(time.time(), 3), "method": self.command, "path": self.path, "headers": sorted(names),
            "x-api-key": names.get("x-api-key"), "authorization": names.get("authorization"), **more,
        }

    def plain(self, status, value, headers=None):
        self.write(self.head(status, headers, value) + self.json(value))
        return status

    @staticmethod
    def json(value):
        return b"" if value is None else json.dumps(value).encode()

    def head(self, status, headers, value=None, more=None):
        """The bytes of a response's head; without more, for a body of JSON."""
        more = more or {"content-type": "application/json", "content-length": len(self.json(value))}
        reason = self.responses.get(status, ("",))[0]
        lines = [f"HTTP/1.1 {status} {reason}", f"date: {self.date_time_string()}"]
        lines += [f"{name}: {text}" for name, text in {**more, **(headers or {})}.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def write(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def messages(self, raw):
        try:
            request = Request(json.loads(raw))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.note(self.plain(400, error_body("invalid_request_error", f"body: {error}")))
            return
        server = self.server
        counts = server.ledger.arrived(request)
        entry = self.entry(
            model=request.model, marker=request.marker, stream=request.stream, turn=request.turn, bytes=len(raw),
            rule=None, status=None, stop_reason=None, sent=0, completed=False, **counts,
        )
        if server.bodies:
            write_whole(os.path.join(server.bodies, f"{counts['n']:05d}.json"), raw.decode("utf-8", "replace"))
        last = b""
        try:
            last = self.answer(request, entry)
            self.still_there()
            entry["completed"] = True
        except (ClientGone, OSError):
            entry["gone"] = True
            self.close_connection = True
        except Cut:
            entry["cut"] = True
            self.close_connection = True
        finally:
            entry["took"] = round(time.time() - entry["time"], 3)
            server.ledger.over(request, entry)
        self.write(last)

    def answer(self, request, entry):
        """Sends all but the last piece and returns that: who has the whole answer finds it in the counts."""
        try:
            reply, entry["rule"] = self.server.script.reply_to(request)
        except (ScriptError, ValueError, OSError) as error:
            print(f"standin: {self.server.script.path}: {error}", file=sys.stderr, flush=True)
            reply = {"status": 400, "error": {"type": "invalid_request_error", "message": f"stand-in script: {error}"}}
        if reply is None:
            reply = demo.reply_to(request) if self.server.demo else {}
        else:
            reply = substitute(reply, {"marker": request.marker, "cwd": request.cwd()})
        if "hold" in reply:
            release = os.path.join(self.server.folder, "release-" + reply["hold"])
            self.pause(MAX_HOLD_S, lambda: os.path.exists(release))
        self.pause(reply.get("delay_ms", 0) / 1000)
        entry["status"] = reply.get("status", 200)
        headers = {"request-id": f"req_standin_{entry['n']:05d}", **reply.get("headers", {})}
        if entry["status"] != 200:
            error = reply.get("error", {})
            body = error_body(error.get("type", "api_error"), error.get("message", "scripted"), headers["request-id"])
            return self.head(entry["status"], headers, body) + self.json(body)
        message = message_of(entry["n"], request.model, self.content(request, reply), reply)
        entry["stop_reason"] = message["stop_reason"]
        send = self.stream if request.stream else self.whole
        return send(message, reply, headers, entry)

    @staticmethod
    def content(request, reply):
        texts = [reply["text"]] if "text" in reply else []
        if "text_bytes" in reply:
            texts = [filler(reply["text_bytes"])]
        tools = reply.get("tool", [])
        tools = tools if isinstance(tools, list) else [tools]
        if not texts and not tools and reply.get("stop_reason") != "refusal":
            texts = ["stand-in answer" + (f" for {request.marker}" if request.marker else "")]
        return texts * reply.get("blocks", 1), tools

    def pause(self, seconds, until=lambda: False):
        """Waits, but not longer than the client does."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            self.still_there(min(max(left, 0), 0.02))
            if left <= 0:
                return

    def still_there(self, wait=0):
        readable, _, _ = select.select([self.connection], [], [], wait)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ClientGone

    def whole(self, message, reply, headers, entry):
        self.still_there()
        self.write(self.head(200, headers, message))
        return self.clipped(self.json(message), reply, entry)

    def stream(self, message, reply, headers, entry):
        self.still_there()
        more = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        self.write(self.head(200, headers, more=more))
        piece = b""
        for event in events_of(message, reply.get("chunks"), reply.get("pings", 1)):
            self.write(piece)
            if event["type"] == "content_block_delta" and "gap_ms" in reply:
                self.pause(reply["gap_ms"] / 1000)
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            piece = self.clipped(data, reply, entry, chunked=True)
        return piece + b"0\r\n\r\n"

    def clipped(self, data, reply, entry, chunked=False):
        """What to send of these bytes of a body; where the reply is to be cut in them, that is sent and Cut raised."""
        limit = reply.get("cut_after_bytes")
        part = data if limit is None else data[: max(limit - entry["sent"], 0)]
        entry["sent"] += len(part)
        framed = b"%x\r\n%s\r\n" % (len(part), part) if chunked and part else part
        if len(part) < len(data):
            self.write(framed)
            raise Cut
        return framed


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.folder = options.dir
        self.script = Script(options.script)
        self.ledger = Ledger(options.dir)
        self.demo = options.demo
        self.bodies = None
        if options.bodies:
            self.bodies = os.path.join(options.dir, "bodies")
            os.makedirs(self.bodies, exist_ok=True)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def end_with(parent, seconds):
    """Ends this process after so many seconds, or soon after the parent has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (parent is None or alive(parent)):
        time.sleep(0.1)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", required=True, help="folder for port, requests.jsonl, stats.json, bodies/")
    parser.add_argument("--script", help="JSON file of rules")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--demo", action="store_true", help="write the page that a prompt asks for")
    parser.add_argument("--bodies", action="store_true", help="keep each request's body in DIR/bodies")
    parser.add_argument("--watch-parent", type=int, metavar="PID", help="end when this process is gone")
    parser.add_argument("--max-seconds", type=float, default=600)
    options = parser.parse_args()
    os.umask(0o077)
    os.makedirs(options.dir, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server = Server(options)
    except (ScriptError, ValueError, OSError) as error:
        sys.exit(f"standin: {error}")
    threading.Thread(target=end_with, args=(options.watch_parent, options.max_seconds), daemon=True).start()
    write_whole(os.path.join(options.dir, "port"), f"{server.server_port}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
