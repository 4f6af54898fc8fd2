// The same calls by the npm package @anthropic-ai/sdk: streamed, so many at once, prompt and answer kept as files.
//
// usage: node api-sdk.mjs NODE-MODULES URL FOLDER CALLS AT-ONCE [PROMPT-BYTES]

import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, baseURL, folder, calls, atOnce, bytes = 1000] = process.argv.slice(2);
const { default: Anthropic } = await import(pathToFileURL(`${modules}/@anthropic-ai/sdk/index.mjs`));
const client = new Anthropic({ apiKey: "bench", baseURL, maxRetries: 0 });
const prompt = "x".repeat(Number(bytes));
let next = 0;
let failed = 0;

async function call(n) {
  const content = `${prompt} ${n}`;
  fs.writeFileSync(`${folder}/prompt-${n}`, content, { mode: 0o600 });
  const request = { model: "claude-haiku-5-5", max_tokens: 16000, messages: [{ role: "user", content }] };
  const message = await client.messages.stream(request).finalMessage();
  fs.writeFileSync(`${folder}/answer-${n}`, message.content[0].text, { mode: 0o600 });
}

async function worker() {
  while (next < Number(calls)) await call(next++).catch(() => failed++);
}

const from = performance.now();
await Promise.all(Array.from({ length: Number(atOnce) }, worker));
const used = process.resourceUsage();
const cpu = (used.userCPUTime + used.systemCPUTime) / 1e6;
const wall = (performance.now() - from) / 1000;
console.log(JSON.stringify({ wall, cpu, rss_kb: used.maxRSS, failed }));
process.exit(failed > 0 ? 1 : 0);
