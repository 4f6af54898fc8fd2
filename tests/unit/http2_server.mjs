// For t_http2: three servers with TLS on 127.0.0.1 that answer by their path. Prints a line "PID PORT PORT PORT" (HTTP/2,
// HTTP/2 with 8 calls on a connection, HTTP/1.1), and ends with its parent or after a minute.
import fs from "node:fs";
import http2 from "node:http2";
import https from "node:https";

const folder = process.argv[2];
const secret = { key: fs.readFileSync(`${folder}/key.pem`), cert: fs.readFileSync(`${folder}/cert.pem`) };
const parent = process.ppid;
const held = new Set();
const sockets = new Set();
let stats;
const reset = () => (stats = { requests: 0, connections: 0, bytes: 0 });

// Of a known length: libcurl 7.88 resets streams of another kind, and node takes that for an attack before long.
function say(res, text) {
  res.setHeader("content-length", Buffer.byteLength(text));
  res.end(text);
}

const ways = {
  "/ok": (req, res) => setTimeout(() => say(res, "well"), 200),
  "/hold": (req, res) => held.add(res),
  "/free": (req, res) => {
    for (const one of held) say(one, "well");
    held.clear();
    say(res, "well");
  },
  "/drop": (req) => req.stream.session.destroy(),
  "/reset": () => {
    for (const one of held) one.write("well");
    held.clear();
    for (const socket of sockets) socket.resetAndDestroy();
  },
  "/goaway": (req, res) => {
    req.stream.session.close();
    say(res, "well");
  },
};

function answer(req, res) {
  if (req.url === "/stats") {
    say(res, JSON.stringify(stats));
    return reset();
  }
  stats.requests++;
  req.on("data", (bytes) => (stats.bytes += bytes.length));
  req.on("end", () => ways[req.url](req, res));
}

reset();
process.on("uncaughtException", () => {}); // what was cancelled or dropped
const servers = [
  http2.createSecureServer({ ...secret, settings: { maxConcurrentStreams: 200 } }, answer),
  http2.createSecureServer({ ...secret, settings: { maxConcurrentStreams: 8 } }, answer),
  https.createServer(secret, answer),
];
for (const server of servers) {
  server.on("secureConnection", () => stats.connections++);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
}
console.log(process.pid, ...servers.map((server) => server.address().port));
setInterval(() => process.ppid === parent || process.exit(0), 200);
setTimeout(() => process.exit(1), 60000);
