#!/usr/bin/python3
"""A scripted stand-in for the Messages API on loopback. See README.md beside this file."""

import argparse
import email.utils
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

sys.dont_write_bytecode = True

import demo
from cache import Cache, tokens_in
from checks import refusal_of
from ledger import Ledger, write_whole
from messages import default_usage, error_body, error_of, events_of, example_of, filler, message_of
from messages import with_error, with_noise
from rate import Rate
from rules import Request, Script, ScriptError, substitute

MAX_BODY = 32 << 20
MAX_HOLD_S = 120


class ClientGone(Exception):
    pass


class Cut(Exception):
    pass


class Modes:
    """The cache and the rate that the script asks for; they live as long as it says the same of them."""

    kinds = {"cache": Cache, "rate": Rate}

    def __init__(self, script):
        self.script = script
        self.told = {}
        self.made = {}
        self.lock = threading.Lock()

    def get(self, name):
        told = self.script.mode(name)
        with self.lock:
            if told != self.told.get(name):
                self.told[name] = told
                self.made[name] = self.kinds[name](told) if told else None
            return self.made.get(name)

    def stats(self):
        with self.lock:
            return {name: mode.snapshot() for name, mode in self.made.items() if mode}


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

    def do_CONNECT(self):
        """As a proxy does it, to this machine only."""
        host, _, port = self.path.rpartition(":")
        if host not in ("127.0.0.1", "localhost"):
            self.note(self.plain(403, error_body("permission_error", "no way to there")))
            return
        self.note(200)
        with socket.create_connection((host, int(port)), timeout=10) as other:
            self.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.relay(other)
        self.close_connection = True

    def relay(self, other):
        ways = {self.connection: other, other: self.connection}
        while True:
            readable, _, _ = select.select(list(ways), [], [], self.timeout)
            for one in readable:
                data = one.recv(1 << 16)
                if not data:
                    return
                ways[one].sendall(data)
            if not readable:
                return

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if not 0 < length <= MAX_BODY:
            self.close_connection = True
            self.note(self.plain(413, error_body("request_too_large", f"body of {length} bytes")))
            return
        raw = self.rfile.read(length)
        path = urlsplit(self.path).path
        if path == self.server.base + "/v1/messages":
            self.messages(raw)
        elif path == self.server.base + "/v1/messages/count_tokens":
            self.note(self.plain(200, {"input_tokens": length // 4}))
        else:
            self.not_found()

    def not_found(self):
        self.note(self.plain(404, error_body("not_found_error", f"no such path: {self.path}")))

    def note(self, status):
        self.server.ledger.other(self.entry(status=status))

    def names(self):
        return {k.lower(): v for k, v in self.headers.items()}

    def entry(self, **more):
        names = self.names()
        return {
            "time": round(time.time(), 3), "method": self.command, "path": self.path, "headers": sorted(names),
            "x-api-key": names.get("x-api-key"), "authorization": names.get("authorization"),
            "anthropic-beta": names.get("anthropic-beta"), **more,
        }

    def plain(self, status, value, headers=None):
        self.write(self.head(status, headers, self.json(value)) + self.json(value))
        return status

    @staticmethod
    def json(value):
        return b"" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def head(self, status, headers, body=None):
        """The bytes of a response's head; without a body for one that comes in chunks."""
        more = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        if body is not None:
            more = {"content-type": "application/json", "content-length": len(body)}
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
        last = []
        try:
            last = self.answer(request, entry)
            self.still_there()
            entry["completed"] = "error" not in entry
        except (ClientGone, OSError):
            entry["gone"] = True
            self.close_connection = True
        except Cut:
            entry["cut"] = True
            self.close_connection = True
        finally:
            entry["took"] = round(time.time() - entry["time"], 3)
            server.ledger.over(request, entry, server.modes.stats())
        self.send(last)

    def send(self, pieces):
        for piece in pieces:
            self.write(piece)

    def answer(self, request, entry):
        """Sends all but the last pieces and returns these: who has the whole answer finds it in the counts."""
        headers = {"request-id": f"req_standin_{entry['n']:05d}"}
        cache = None
        try:
            cache = self.server.modes.get("cache")
            reply = self.refused_by_mode(request, headers)
            if reply is None:
                reply, entry["rule"] = self.server.script.reply_to(request)
        except (ScriptError, ValueError, OSError) as error:
            print(f"standin: {self.server.script.path}: {error}", file=sys.stderr, flush=True)
            reply = {"status": 400, "error": {"type": "invalid_request_error", "message": f"stand-in script: {error}"}}
        if reply is None:
            reply = demo.reply_to(request) if self.server.demo else {}
        else:
            reply = substitute(reply, {"marker": request.marker, "cwd": request.cwd()})
        # What the cache holds counts as the request comes in, however long the answer takes.
        charge = cache.charge(request.body) if cache else None
        if "hold_after" not in reply:
            self.hold(reply)
        self.pause(reply.get("delay_ms", 0) / 1000)
        if reply.get("hang_up"):
            raise Cut
        headers.update(reply.get("headers", {}))
        if "retry_after_date" in reply:
            headers["retry-after"] = email.utils.formatdate(time.time() + reply["retry_after_date"], usegmt=True)
        entry["status"] = reply.get("status", 200)
        if entry["status"] != 200 or "body" in reply:
            return self.failure(reply, headers, entry)
        return self.success(request, reply, headers, entry, cache, charge)

    def refused_by_mode(self, request, headers):
        """What the rate or the checks say of it, as a reply; None: it may go on. The rate's headers come in any case."""
        rate = self.server.modes.get("rate")
        if rate:
            told, allowed = rate.take()
            headers.update(told)
            if not allowed:
                return {"status": 429, "error": {"type": "rate_limit_error", "message": "slow down"}}
        if not self.server.script.mode("check"):
            return None
        models = self.server.script.mode("models")
        refusal = refusal_of(self.names(), request.body, models, self.server.was_paused)
        if refusal is None:
            return None
        return {"status": refusal[0], "error": {"type": refusal[1], "message": refusal[2]}}

    def failure(self, reply, headers, entry):
        body = {"type": "error", "error": error_of(reply.get("error", {})), "request_id": headers["request-id"]}
        data = reply["body"].encode() if "body" in reply else self.json(body)
        return [self.head(entry["status"], headers, data) + data]

    def success(self, request, reply, headers, entry, cache, charge):
        blocks = self.content(entry["n"], request, reply)
        usage = default_usage()
        if charge:
            usage.update(charge.usage, output_tokens=tokens_in(blocks))
        message = message_of(entry["n"], request.model, blocks, reply, usage)
        entry["stop_reason"] = message["stop_reason"]
        entry["usage"] = message["usage"]
        if entry["stop_reason"] == "pause_turn":
            self.server.paused.append(blocks)
        self.still_there()
        if charge:
            cache.begun(charge)
            cache.count(message["usage"])
        send = self.stream if request.stream else self.whole
        return send(message, reply, headers, entry)

    @staticmethod
    def content(n, request, reply):
        if "content" in reply:
            return reply["content"]
        texts = [reply["text"]] if "text" in reply else []
        if "text_bytes" in reply:
            texts = [filler(reply["text_bytes"])]
        tools = reply.get("tool", [])
        tools = tools if isinstance(tools, list) else [tools]
        if not texts and not tools and reply.get("stop_reason") != "refusal":
            schema = request.schema()
            texts = ["stand-in answer" + (f" for {request.marker}" if request.marker else "")]
            texts = [json.dumps(example_of(schema))] if schema else texts
        blocks = [{"type": "text", "text": text} for text in texts * reply.get("blocks", 1)]
        return blocks + [
            {"type": "tool_use", "id": f"toolu_standin_{n:05d}_{i}", "name": tool["name"], "input": tool.get("input", {})}
            for i, tool in enumerate(tools)
        ]

    def hold(self, reply):
        if "hold" in reply:
            release = os.path.join(self.server.folder, "release-" + reply["hold"])
            self.pause(MAX_HOLD_S, lambda: os.path.exists(release))

    def pause(self, seconds, until=lambda: False):
        """Waits, but not longer than the client does."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            self.still_there(min(max(left, 0), 0.02))
            if left <= 0:
                return

    def still_there(self, wait=0):
        poll = select.poll()  # select() knows no descriptor above 1,023
        poll.register(self.connection, select.POLLIN)
        if poll.poll(wait * 1000) and not self.connection.recv(1, socket.MSG_PEEK):
            raise ClientGone

    def whole(self, message, reply, headers, entry):
        data = self.json(message)
        self.write(self.head(200, headers, data))
        return self.clipped(data, reply, entry)

    def stream(self, message, reply, headers, entry):
        self.write(self.head(200, headers))
        events = events_of(message, reply.get("chunks"), reply.get("pings", 1))
        if reply.get("noise"):
            events = with_noise(events)
        if "error_event" in reply:
            events = with_error(events, reply["error_event"], reply["error_event"].get("after", 0))
            entry["error"] = reply["error_event"].get("type")
        pieces, deltas = [], 0
        for event in events:
            self.send(pieces)
            if event["type"] == "content_block_delta":
                self.before_delta(reply, deltas)
                deltas += 1
            data = b"event: %s\ndata: %s\n\n" % (event["type"].encode(), self.json(event))
            if reply.get("noise"):
                data = b": of no meaning\nid: 7\n" + data
            if reply.get("crlf"):
                data = data.replace(b"\n", b"\r\n")
            pieces = self.clipped(data, reply, entry, chunked=True)
        return [*pieces, b"0\r\n\r\n"]

    def before_delta(self, reply, deltas):
        if reply.get("hold_after") == deltas:
            self.hold(reply)
        if "gap_ms" in reply:
            self.pause(reply["gap_ms"] / 1000)

    def clipped(self, data, reply, entry, chunked=False):
        """What to send of these bytes of a body; where the reply is to be cut in them, that is sent and Cut raised."""
        limit = reply.get("cut_after_bytes")
        part = data if limit is None else data[: max(int(limit) - entry["sent"], 0)]
        entry["sent"] += len(part)
        size = reply.get("write_bytes", len(part)) or 1
        pieces = [part[at : at + size] for at in range(0, len(part), size)]
        if chunked:
            pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
        if len(part) < len(data):
            self.send(pieces)
            raise Cut
        return pieces


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, options):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.folder = options.dir
        self.script = Script(options.script)
        self.ledger = Ledger(options.dir)
        self.modes = Modes(self.script)
        self.demo = options.demo
        self.base = options.base.rstrip("/")
        self.paused = []
        self.bodies = None
        if options.bodies:
            self.bodies = os.path.join(options.dir, "bodies")
            os.makedirs(self.bodies, exist_ok=True)

    def was_paused(self, content):
        return content in self.paused

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
    parser.add_argument("--base", default="", metavar="PATH", help="before /v1/messages, as a gateway has it")
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
