// What the npm package @anthropic-ai/sdk makes of the stand-ins' answers: it must be what the script says.
//
// usage: node sdk.mjs NODE-MODULES GROUP STANDIN-FOLDER URL. In the folder, standin.py reads script.json.

import assert from "node:assert/strict";
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [sdk, group, folder, baseURL] = process.argv.slice(2);
const { default: Anthropic } = await import(pathToFileURL(`${sdk}/@anthropic-ai/sdk/index.mjs`));

const api = (more = {}) => new Anthropic({ apiKey: "test-key", baseURL, maxRetries: 0, timeout: 10000, ...more });
const ask = (more = {}) => ({
  model: "claude-opus-5-5", max_tokens: 100, messages: [{ role: "user", content: "Say something." }], ...more,
});

// The stand-in counts by a rule's place, so each script has its rules behind those of all before it.
const before = [];

function script(rules, more = {}) {
  fs.writeFileSync(`${folder}/script.new`, JSON.stringify({ check: true, rules: [...before, ...rules], ...more }));
  before.push(...rules.map(() => ({ match: { marker: "none" } })));
  fs.renameSync(`${folder}/script.new`, `${folder}/script.json`);
}

const always = (reply, more) => script([{ reply }], more);
const stats = () => JSON.parse(fs.readFileSync(`${folder}/stats.json`));

// The final message, streamed and not.
async function both(request) {
  return [await api().messages.create(request), await api().messages.stream(request).finalMessage()];
}

async function is(request, want) {
  for (const message of await both(request)) {
    for (const [key, value] of Object.entries(want)) assert.deepEqual(message[key], value, key);
  }
}

async function fails(request, name, want = {}, client = api()) {
  const calls = [() => client.messages.create(request), () => client.messages.create({ ...request, stream: true })];
  for (const call of calls) {
    const error = await call().then(() => assert.fail(`no ${name}`), (e) => e);
    assert.equal(error.constructor._errorName ?? error.constructor.name, name, String(error));
    for (const [key, value] of Object.entries(want)) assert.deepEqual(error[key], value, key);
  }
}

const thinking = { type: "thinking", thinking: "Let me see: ∑ and 🙂.", signature: "c2lnbmF0dXJl" };
const hidden = { type: "redacted_thinking", data: "aGlkZGVu" };
const text = { type: "text", text: "Ünïcödé → 日本 🙂\n\"quoted\" \\ \u0001 </end>" };
const tool = { type: "tool_use", id: "toolu_1", name: "look", input: { where: "hère", deep: [1, { a: null }] } };

const answers = {
  "a text, with the counts": async () => {
    always({ content: [text], usage: { input_tokens: 12, output_tokens: 34 } });
    await is(ask(), { content: [text], stop_reason: "end_turn", stop_sequence: null, role: "assistant", type: "message" });
    const [, streamed] = await both(ask());
    assert.equal(streamed.usage.output_tokens, 34);
    assert.equal(streamed.usage.input_tokens, 12);
    assert.match(streamed._request_id ?? "req_", /^req_/);
  },
  "thinking with its signature, hidden thinking, a tool": async () => {
    always({ content: [thinking, hidden, text, tool], chunks: 5 });
    const tools = [{ name: "look", input_schema: { type: "object" } }];
    await is(ask({ tools }), { content: [thinking, hidden, text, tool], stop_reason: "tool_use" });
  },
  "each byte in a packet of its own": async () => {
    always({ content: [thinking, text], chunks: 3, write_bytes: 1 });
    await is(ask(), { content: [thinking, text] });
  },
  "lines that end in CR and LF": async () => {
    always({ content: [text], chunks: 3, crlf: true });
    await is(ask(), { content: [text] });
  },
  "one delta of 3 MB": async () => {
    always({ text_bytes: 3000000, chunks: 1 });
    const [whole, streamed] = await both(ask());
    assert.equal(streamed.content[0].text.length, 3000000);
    assert.equal(streamed.content[0].text, whole.content[0].text);
  },
  "pings, and what a later version may add": async () => {
    always({ content: [thinking, text], chunks: 4, noise: true, pings: 3, stop_reason: "max_tokens" });
    await is(ask(), { content: [thinking, text], stop_reason: "max_tokens" });
  },
  "all reasons to stop": async () => {
    for (const stop_reason of ["end_turn", "max_tokens", "pause_turn", "model_context_window_exceeded"]) {
      always({ content: [text], stop_reason });
      await is(ask(), { content: [text], stop_reason });
    }
    always({ content: [text], stop_reason: "stop_sequence", stop_sequence: "END" });
    await is(ask({ stop_sequences: ["END"] }), { stop_reason: "stop_sequence", stop_sequence: "END" });
  },
  "after pause_turn it goes on": async () => {
    const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } };
    script([
      { match: { messages: 1 }, reply: { content: [text, search], stop_reason: "pause_turn" } },
      { match: { messages: 2 }, reply: { content: [{ type: "text", text: "done" }] } },
    ]);
    const first = await api().messages.stream(ask()).finalMessage();
    const messages = [...ask().messages, { role: "assistant", content: first.content }];
    await is(ask({ messages }), { content: [{ type: "text", text: "done" }], stop_reason: "end_turn" });
  },
  "a refusal, before and within an answer": async () => {
    const stop_details = { type: "refusal", category: "bio", explanation: "Not that." };
    always({ stop_reason: "refusal", stop_details });
    await is(ask(), { content: [], stop_reason: "refusal", stop_details });
    always({ content: [text], stop_reason: "refusal", stop_details });
    await is(ask(), { content: [text], stop_reason: "refusal", stop_details });
  },
  "JSON by a schema": async () => {
    script([]);
    const properties = { name: { type: "string" }, tags: { type: "array", items: { enum: ["a", "b"] } } };
    const schema = { type: "object", properties, required: ["name"], additionalProperties: false };
    for (const message of await both(ask({ output_config: { format: { type: "json_schema", schema } } }))) {
      assert.deepEqual(JSON.parse(message.content[0].text), { name: "text", tags: ["a"] });
    }
  },
  "the prompt cache: written by the first, read by the second, charged accordingly": async () => {
    script([], { cache: true });
    const system = [{ type: "text", text: "rule. ".repeat(1000), cache_control: { type: "ephemeral" } }];
    const first = await api().messages.stream(ask({ system })).finalMessage();
    const second = await api().messages.create(ask({ system, messages: [{ role: "user", content: "other" }] }));
    assert.equal(first.usage.cache_creation_input_tokens, 1500);
    assert.equal(first.usage.cache_creation.ephemeral_5m_input_tokens, 1500);
    assert.equal(first.usage.cache_read_input_tokens, 0);
    assert.equal(second.usage.cache_creation_input_tokens, 0);
    assert.equal(second.usage.cache_read_input_tokens, 1500);
    assert.equal(second.usage.input_tokens, 1);
    assert.deepEqual([stats().cache.write_5m, stats().cache.read], [1500, 1500]);
  },
};

const classes = [
  [400, "invalid_request_error", "BadRequestError"], [401, "authentication_error", "AuthenticationError"],
  [402, "billing_error", "PaymentRequiredError"], [403, "permission_error", "PermissionDeniedError"],
  [404, "not_found_error", "NotFoundError"], [408, "timeout_error", "RequestTimeoutError"],
  [409, "conflict_error", "ConflictError"], [413, "request_too_large", "ContentTooLargeError"],
  [429, "rate_limit_error", "RateLimitError"], [500, "api_error", "InternalServerError"],
  [503, "api_error", "ServiceUnavailableError"], [504, "timeout_error", "GatewayTimeoutError"],
  [529, "overloaded_error", "OverloadedError"],
];

const errors = {
  "each status is its class": async () => {
    for (const [status, type, name] of classes) {
      always({ status, error: { type, message: "no" } });
      await fails(ask(), name, { status, type, apiMessage: "no", errorCode: null });
    }
  },
  "the code of an error": async () => {
    const names = {
      enforced_spend_limit_reached: "EnforcedSpendLimitReachedError",
      contract_spend_limit_reached: "ContractSpendLimitReachedError",
      ramp_limit_exceeded: "RampLimitExceededError",
    };
    for (const [error_code, name] of Object.entries(names)) {
      always({ status: 429, error: { type: "rate_limit_error", message: "no", error_code } });
      await fails(ask(), name, { status: 429, errorCode: error_code });
    }
  },
  "a page of HTML, as a proxy sends it": async () => {
    always({ status: 502, body: "<html>Bad Gateway</html>", headers: { "content-type": "text/html" } });
    await fails(ask(), "InternalServerError", { status: 502, type: null });
  },
  "an error in mid-stream": async () => {
    always({ content: [text], chunks: 5, error_event: { type: "overloaded_error", message: "later", after: 2 } });
    const stream = api().messages.stream(ask());
    let seen = "";
    stream.on("text", (piece) => (seen += piece));
    const error = await stream.finalMessage().then(() => assert.fail(), (e) => e);
    assert.equal(error.type, "overloaded_error");
    assert.ok(seen.length > 0 && text.text.startsWith(seen) && seen !== text.text);
  },
  "a stream that is cut, and no answer at all": async () => {
    always({ content: [text], chunks: 5, cut_after_bytes: 900 });
    await assert.rejects(api().messages.stream(ask()).finalMessage());
    always({ hang_up: true });
    await fails(ask(), "APIConnectionError");
  },
  "what the API refuses": async () => {
    script([], { models: ["claude-opus-5-5"] });
    await fails(ask({ model: "claude-none" }), "NotFoundError", { type: "not_found_error" });
    await fails(ask({ temperature: 0.5 }), "BadRequestError");
    await fails(ask({ max_tokens: 0 }), "BadRequestError");
    await fails(ask({ thinking: { type: "disabled" } }), "BadRequestError");
    await fails(ask({ messages: [] }), "BadRequestError");
    await fails(ask({ messages: [...ask().messages, { role: "assistant", content: "{" }] }), "BadRequestError");
    await fails(ask(), "AuthenticationError", {}, api({ defaultHeaders: { "x-api-key": "", authorization: null } }));
  },
};

async function waits(headers, least, most, more = {}) {
  script([{ times: 1, reply: { status: 429, headers, error: { type: "rate_limit_error" }, ...more } }]);
  const asked = stats().requests;
  const from = performance.now();
  await api({ maxRetries: 2 }).messages.create(ask());
  const took = performance.now() - from;
  assert.ok(took >= least && took < most, `${JSON.stringify(headers)}: ${took} ms`);
  assert.equal(stats().requests - asked, 2);
}

const retries = {
  "retry-after in seconds, in ms, as a date": async () => {
    await waits({ "retry-after": "1" }, 1000, 3000);
    await waits({ "retry-after-ms": "150" }, 150, 900);
    await waits({}, 500, 3500, { retry_after_date: 2 });
  },
  "x-should-retry has the last word": async () => {
    always({ status: 429, headers: { "x-should-retry": "false" }, error: { type: "rate_limit_error" } });
    const asked = stats().requests;
    await fails(ask(), "RateLimitError", {}, api({ maxRetries: 2 }));
    assert.equal(stats().requests - asked, 2);
  },
  "529 twice, then the answer": async () => {
    const reply = { status: 529, headers: { "retry-after-ms": "10" }, error: { type: "overloaded_error" } };
    script([{ times: 2, reply }, { reply: { content: [text] } }]);
    assert.deepEqual((await api({ maxRetries: 2 }).messages.create(ask())).content, [text]);
  },
  "a limit of requests": async () => {
    script([], { rate: { requests_per_second: 5, burst: 2 } });
    const { response } = await api().messages.create(ask()).withResponse();
    assert.equal(response.headers.get("anthropic-ratelimit-requests-limit"), "300");
    assert.equal(response.headers.get("anthropic-ratelimit-requests-remaining"), "1");
    await api().messages.create(ask());
    await fails(ask(), "RateLimitError", { type: "rate_limit_error" });
    assert.deepEqual([stats().rate.allowed, stats().rate.denied], [2, 2]);
  },
};

// h2.mjs has one answer for all.
const fast = {
  "streamed and not": async () => {
    const [whole, streamed] = await both(ask());
    assert.match(whole.content[0].text, /^part 0 /);
    assert.deepEqual(streamed.content, whole.content);
    assert.equal(streamed.stop_reason, "end_turn");
    assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
  },
  "its limit of requests": async () => {
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => api().messages.create(ask())));
    const denied = ends.filter((end) => end.status === "rejected").map((end) => end.reason);
    assert.ok(denied.length > 0);
    for (const error of denied) {
      assert.equal(error.constructor._errorName ?? error.constructor.name, "RateLimitError");
      assert.equal(error.headers.get("retry-after"), "1");
    }
  },
};

let failed = 0;
for (const [name, run] of Object.entries({ answers, errors, retries, fast }[group])) {
  try {
    await run();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok: ${name}: ${error.stack}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
