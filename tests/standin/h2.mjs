// A stand-in for the Messages API that is fast: HTTP/2 over TLS, one answer for all. See README.md beside this file.

import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import { parseArgs } from "node:util";

const MAX_BODY = 32 << 20;

const { values: told } = parseArgs({
  options: {
    dir: { type: "string" }, // gets port, when it listens, and stats.json, when it ends by SIGTERM
    key: { type: "string" },
    cert: { type: "string" },
    http1: { type: "boolean", default: false }, // no HTTP/2
    latency: { type: "string", default: "1000" }, // ms from the request to the end of its answer
    delay: { type: "string", default: "0" }, // ms of these until the head
    deltas: { type: "string", default: "8" },
    "delta-bytes": { type: "string", default: "64" },
    length: { type: "boolean", default: false }, // content-length also with streams
    open: { type: "boolean", default: false }, // streams stay open when all of an answer was sent
    "max-streams": { type: "string", default: "100" },
    rate: { type: "string" }, // requests per second
    burst: { type: "string" },
    "watch-parent": { type: "string" },
    "max-seconds": { type: "string", default: "600" },
  },
});
const latency = Number(told.latency);
const delay = Number(told.delay);

const stats = {
  requests: 0, completed: 0, in_flight: 0, max_in_flight: 0, connections: 0, gone: 0, bytes: 0, limit: null, cpu_s: 0,
};

const usage = {
  input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 20,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 }, service_tier: "standard",
};

// All that does not change from answer to answer is made once: a stream's head with the model left open, and its rest.
const text = Array.from({ length: Number(told.deltas) }, (_, n) => `part ${n} `.padEnd(Number(told["delta-bytes"]), "."));
const event = (data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const message = (model, content, stop_reason) => ({
  id: "msg_standin_h2", type: "message", role: "assistant", model, content, stop_reason, stop_sequence: null, usage,
});
const begin = (model) =>
  event({ type: "message_start", message: { ...message(model, [], null), usage: { ...usage, output_tokens: 1 } } }) +
  event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }) +
  event({ type: "ping" });
const rest = Buffer.from(
  text.map((part) => event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: part } })).join("") +
    event({ type: "content_block_stop", index: 0 }) +
    event({ type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage }) +
    event({ type: "message_stop" }),
);
const begins = new Map();

function beginOf(model) {
  if (!begins.has(model)) begins.set(model, Buffer.from(begin(model)));
  return begins.get(model);
}

// As in rate.py: a token bucket with continuous refill.
const rate = told.rate && { perSecond: Number(told.rate), burst: Number(told.burst ?? told.rate), at: performance.now() };
if (rate) {
  rate.left = rate.burst;
  stats.limit = { allowed: 0, denied: 0, first: null, last: null };
}

function take(headers) {
  const now = performance.now();
  rate.left = Math.min(rate.burst, rate.left + ((now - rate.at) * rate.perSecond) / 1000);
  rate.at = now;
  const allowed = rate.left >= 1;
  if (allowed) {
    rate.left -= 1;
    stats.limit.first ??= now / 1000;
    stats.limit.last = now / 1000;
  }
  stats.limit[allowed ? "allowed" : "denied"] += 1;
  const full = Date.now() + ((rate.burst - rate.left) / rate.perSecond) * 1000;
  headers["anthropic-ratelimit-requests-limit"] = String(Math.round(rate.perSecond * 60));
  headers["anthropic-ratelimit-requests-remaining"] = String(Math.floor(rate.left));
  headers["anthropic-ratelimit-requests-reset"] = new Date(Math.ceil(full / 1000) * 1000).toISOString().replace(".000", "");
  if (!allowed) headers["retry-after"] = String(Math.max(1, Math.ceil((1 - rate.left) / rate.perSecond)));
  return allowed;
}

// What is to be done after one and the same time is a queue with one timer.
function later(ms) {
  const queue = [];
  let at = 0;
  let armed = false;
  const run = () => {
    const now = performance.now();
    while (at < queue.length && queue[at].due <= now) queue[at++].act();
    if (at > 1024 || at === queue.length) queue.splice(0, at), (at = 0);
    armed = at < queue.length;
    if (armed) setTimeout(run, Math.max(queue[at].due - now, 1));
  };
  return (act) => {
    if (ms <= 0) return act();
    queue.push({ due: performance.now() + ms, act });
    if (!armed) (armed = true), setTimeout(run, ms);
  };
}
const afterDelay = later(delay);
const afterRest = later(latency - delay);

// One request, whatever it came by: out has head(status, headers), write(bytes), end(bytes), alive(), closed(act).
function answer(body, out) {
  const headers = { "request-id": `req_standin_${stats.requests}` };
  let request;
  try {
    request = JSON.parse(body);
  } catch {
    return fail(out, 400, "invalid_request_error", headers);
  }
  if (rate && !take(headers)) return fail(out, 429, "rate_limit_error", headers);
  const { model, stream } = request;
  afterDelay(() => {
    if (!out.alive()) return;
    headers["content-type"] = stream ? "text/event-stream; charset=utf-8" : "application/json";
    if (stream && told.length) headers["content-length"] = String(beginOf(model).length + rest.length);
    out.head(200, headers);
    if (stream) out.write(beginOf(model));
    afterRest(() => {
      if (!out.alive()) return;
      stats.completed += 1;
      out.over = true;
      if (stream && told.open) return out.write(rest);
      out.end(stream ? rest : JSON.stringify(message(model, [{ type: "text", text: text.join("") }], "end_turn")));
    });
  });
}

function fail(out, status, type, headers) {
  headers["content-type"] = "application/json";
  out.head(status, headers);
  const request_id = headers["request-id"];
  out.over = true;
  out.end(JSON.stringify({ type: "error", error: { type, message: "said by the stand-in" }, request_id }));
}

// path and stream: a Duplex of either protocol.
function serve(path, stream, out) {
  if (path === "/_stats") return tell(out);
  if (path !== "/v1/messages") return fail(out, 404, "not_found_error", {});
  const pieces = [];
  let size = 0;
  stats.requests += 1;
  stats.in_flight += 1;
  stats.max_in_flight = Math.max(stats.max_in_flight, stats.in_flight);
  out.closed(() => {
    stats.in_flight -= 1;
    if (!out.over) stats.gone += 1;
  });
  stream.on("data", (piece) => {
    size += piece.length;
    if (size > MAX_BODY) return stream.destroy();
    pieces.push(piece);
  });
  stream.on("end", () => {
    stats.bytes += size;
    answer(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces), out);
  });
  stream.on("error", () => {});
}

function current() {
  const { user, system } = process.cpuUsage();
  return JSON.stringify({ ...stats, cpu_s: (user + system) / 1e6 }) + "\n";
}

function tell(out) {
  out.head(200, { "content-type": "application/json" });
  out.end(current());
}

const secrets = { key: fs.readFileSync(told.key), cert: fs.readFileSync(told.cert) };
const settings = { maxConcurrentStreams: Number(told["max-streams"]), initialWindowSize: 1 << 20 };
// libcurl 7.88 resets each stream after its end if it had no length. nghttp2 takes that for an attack after 1,000 on one
// connection and 33 more a second, and older nodes have no way to say otherwise: hence --length.
const two = http2.createSecureServer({ ...secrets, settings, streamResetBurst: 1e9, streamResetRate: 1e9 });
two.on("stream", (stream, headers) => {
  serve(headers[":path"], stream, {
    head: (status, more) => stream.respond({ ":status": status, ...more }),
    write: (bytes) => stream.write(bytes),
    end: (bytes) => stream.end(bytes),
    alive: () => !stream.destroyed,
    closed: (act) => stream.on("close", act),
  });
});
two.on("sessionError", () => {});

const one = http.createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  serve(request.url, request, {
    head: (status, more) => response.writeHead(status, more),
    write: (bytes) => response.write(bytes),
    end: (bytes) => response.end(bytes),
    alive: () => !response.destroyed,
    closed: (act) => response.on("close", act),
  });
});

const server = tls.createServer({ ...secrets, ALPNProtocols: told.http1 ? ["http/1.1"] : ["h2", "http/1.1"] }, (socket) => {
  stats.connections += 1;
  socket.setNoDelay(true);
  socket.on("error", () => {});
  if (socket.alpnProtocol === "h2") two.emit("secureConnection", socket);
  else one.emit("connection", socket);
});
server.on("tlsClientError", () => {});

function end() {
  fs.writeFileSync(`${told.dir}/stats.json`, current());
  process.exit(0);
}

process.on("SIGTERM", end);
setTimeout(end, Number(told["max-seconds"]) * 1000).unref();
if (told["watch-parent"]) {
  setInterval(() => {
    try {
      process.kill(Number(told["watch-parent"]), 0);
    } catch {
      end();
    }
  }, 200).unref();
}
server.listen(0, "127.0.0.1", 4096, () => {
  fs.writeFileSync(`${told.dir}/port.new`, `${server.address().port}\n`);
  fs.renameSync(`${told.dir}/port.new`, `${told.dir}/port`);
});
