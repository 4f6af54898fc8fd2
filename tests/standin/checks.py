"""What the Messages API refuses, as far as a client of ours could get it wrong: (status, type, message), or None."""

import base64
import re

from cache import BREAKPOINTS, breakpoints, positions

VERSIONS = ("2023-06-01", "2026-10-21")
KEYS = {
    "model", "max_tokens", "messages", "system", "cache_control", "container", "diagnostics", "inference_geo",
    "metadata", "output_config", "service_tier", "speed", "stop_sequences", "stream", "thinking", "tool_choice", "tools",
}
SAMPLING = {"temperature", "top_p", "top_k"}
BETA_KEYS = {"context_management", "fallbacks", "mcp_servers"}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
IMAGES = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8", "image/webp": b"RIFF"}
ALWAYS, ALL = ("adaptive",), ("adaptive", "disabled")
# Of each model: the efforts it takes, the ways it thinks, and which of these only with effort high or less.
MODELS = {
    "claude-opus-5-5": (EFFORTS, ALWAYS, ()),
    "claude-opus-5": (EFFORTS, ALL, ("disabled",)),
    "claude-opus-4-8": (EFFORTS, ALL, ()), "claude-opus-4-7": (EFFORTS, ALL, ()),
    "claude-opus-4-6": (("low", "medium", "high", "max"), ("adaptive", "enabled", "disabled"), ()),
    "claude-opus-4-5": (("low", "medium", "high"), ("enabled", "disabled"), ()),
    "claude-sonnet-5-5": (EFFORTS, ("adaptive", "between_tools"), ("between_tools",)),
    "claude-sonnet-5": (EFFORTS, ALL, ()),
    "claude-sonnet-4-6": (("low", "medium", "high", "max"), ("adaptive", "enabled", "disabled"), ()),
    "claude-sonnet-4-5": ((), ("enabled", "disabled"), ()),
    "claude-haiku-5-5": (EFFORTS, ALL, ("disabled",)),
    "claude-haiku-4-5": ((), ("enabled", "disabled"), ()),
    **{f"claude-{line}-{version}": (EFFORTS, ALWAYS, ()) for line in ("fable", "mythos") for version in ("5", "5-1", "5-2")},
}


class Refused(Exception):
    def __init__(self, text, status=400, kind="invalid_request_error"):
        super().__init__(text)
        self.status, self.kind = status, kind


def need(condition, text, *more):
    if not condition:
        raise Refused(text, *more)


def check_headers(names):
    need(names.get("content-type", "").split(";")[0] == "application/json", "content-type: must be application/json")
    version = names.get("anthropic-version")
    need(version is not None, "anthropic-version: header is required")
    need(version in VERSIONS, f"anthropic-version: \"{version}\" is not a valid version")
    betas = [name.strip() for name in names.get("anthropic-beta", "").split(",") if name.strip()]
    for name in betas:
        need(re.fullmatch(r"[a-z0-9-]+-20\d\d-?\d\d-?\d\d", name),
             f"Unexpected value(s) `{name}` for the `anthropic-beta` header.")
    check_key(names, betas)


def check_key(names, betas):
    refuse = (401, "authentication_error")
    if "x-api-key" in names:
        need(names["x-api-key"], "invalid x-api-key", *refuse)
        return
    told = names.get("authorization")
    need(told, "x-api-key header is required", *refuse)
    need(re.fullmatch(r"Bearer \S+", told), "Invalid bearer token", *refuse)
    if told.startswith("Bearer sk-ant-oat"):
        need("oauth-2025-04-20" in betas, "OAuth authentication is currently not supported.", *refuse)


def check_thinking(body, model):
    thinking, effort = body.get("thinking"), (body.get("output_config") or {}).get("effort")
    need(effort is None or effort in EFFORTS, f"output_config.effort: unexpected value '{effort}'")
    if thinking is not None:
        kind = thinking.get("type")
        need(kind in ("adaptive", "enabled", "disabled", "between_tools"), "thinking.type: unexpected value")
        budget = thinking.get("budget_tokens")
        need((budget is not None) == (kind == "enabled"), "thinking.budget_tokens: required with enabled, and only there")
        need(budget is None or 1024 <= budget < body["max_tokens"],
             "thinking.budget_tokens: must be 1024 or more, and less than max_tokens")
    if model not in MODELS:
        return
    efforts, ways, to_high = MODELS[model]
    need(effort is None or effort in efforts, f"output_config.effort: '{effort}' is not supported on this model")
    if thinking is not None:
        need(kind in ways, f"thinking: '{kind}' is not supported on this model")
        need(kind not in to_high or effort not in ("xhigh", "max"), f"thinking: '{kind}' needs effort high or less")


def check_source(block, where):
    source = block.get("source") or {}
    if source.get("type") == "text":
        need(source.get("media_type") == "text/plain" and source.get("data"), f"{where}.source: not a text")
        return
    need(source.get("type") == "base64", f"{where}.source.type: unexpected value")
    try:
        data = base64.b64decode(source.get("data", ""), validate=True)
    except ValueError as error:
        raise Refused(f"{where}.source.base64: invalid base64 data") from error
    kind = source.get("media_type")
    begins = IMAGES.get(kind) if block["type"] == "image" else {"application/pdf": b"%PDF-"}.get(kind)
    need(begins is not None, f"{where}.source.media_type: unexpected value '{kind}'")
    need(data.startswith(begins), f"{where}.source: the data does not appear to be {kind}")


def check_message(message, where):
    role, content = message.get("role"), message.get("content")
    need(role in ("user", "assistant", "system"), f"{where}.role: unexpected value")
    need(set(message) <= {"role", "content"}, f"{where}: Extra inputs are not permitted")
    need(content, f"{where}: all messages must have non-empty content")
    if isinstance(content, str):
        return
    for n, block in enumerate(content):
        here = f"{where}.content.{n}"
        kind = block.get("type")
        if kind == "text":
            need(block.get("text"), f"{where}: text content blocks must be non-empty")
            need(block["text"].strip(), f"{where}: text content blocks must contain non-whitespace text")
        elif kind in ("image", "document"):
            need(role == "user", f"{here}: '{kind}' is not permitted in this role")
            check_source(block, here)
        elif kind == "thinking":
            need(role == "assistant" and block.get("signature"), f"{here}.signature: Field required")


def check_schema(schema, where):
    if schema.get("type") == "object":
        need(schema.get("additionalProperties") is False,
             f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for word in "minimum", "maximum", "multipleOf", "minLength", "maxLength":
        need(word not in schema, f"{where}: property '{word}' is not supported")
    for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        check_schema(inner, where)


def check_format(body):
    config = body.get("output_config") or {}
    need(set(config) <= {"effort", "format"}, "output_config: Extra inputs are not permitted")
    told = config.get("format")
    if told is not None:
        need(set(told) == {"type", "schema"} and told["type"] == "json_schema", "output_config.format: unexpected value")
        need(isinstance(told["schema"], dict), "output_config.format.schema: must be an object")
        check_schema(told["schema"], "output_config.format.schema")


def check_marks(body):
    for _, block in positions(body):
        mark = block.get("cache_control")
        need(mark is None or mark.get("type") == "ephemeral", "cache_control.type: unexpected value")
        need(block.get("text", "none").strip() or not mark, "cache_control cannot be set for empty text blocks")
    marks = [ttl for ttl in breakpoints(body) if ttl]
    need(all(ttl in ("5m", "1h") for ttl in marks), "cache_control.ttl: unexpected value")
    need(len(marks) <= BREAKPOINTS, f"A maximum of {BREAKPOINTS} blocks with cache_control may be provided.")
    need("1h" not in marks or "5m" not in marks[: marks.index("1h")],
         "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def check_body(body, names, paused):
    extra = set(body) - KEYS - (SAMPLING if names["anthropic-version"] == VERSIONS[0] else set())
    extra -= BETA_KEYS if "anthropic-beta" in names else set()
    need(not extra, f"{', '.join(sorted(extra))}: Extra inputs are not permitted")
    for key, kind in ("model", str), ("max_tokens", int), ("messages", list):
        need(key in body, f"{key}: Field required")
        need(isinstance(body[key], kind), f"{key}: Input should be a valid {kind.__name__}")
    need(body["model"], "model: String should have at least 1 character")
    need(body["max_tokens"] > 0, "max_tokens: must be greater than or equal to 1")
    need(body["messages"], "messages: at least one message is required")
    need(isinstance(body.get("stream", False), bool), "stream: Input should be a valid boolean")
    need(all(isinstance(s, str) and s.strip() for s in body.get("stop_sequences", [])),
         "stop_sequences: each stop sequence must contain non-whitespace")
    for n, message in enumerate(body["messages"]):
        check_message(message, f"messages.{n}")
    need(body["messages"][0]["role"] == "user", "messages: first message must use the \"user\" role")
    last = body["messages"][-1]
    need(last["role"] != "assistant" or paused(last["content"]),
         "This model does not support assistant message prefill. The conversation must end with a user message.")


def refusal_of(names, body, models, paused):
    """names: the request's headers in lower case; models: those that there are, None for any; paused: whether a
    content is what an answer with pause_turn had."""
    try:
        check_headers(names)
        check_body(body, names, paused)
        model = re.sub(r"-20\d{6}$", "", body["model"])
        need(models is None or body["model"] in models, f"model: {body['model']}", 404, "not_found_error")
        check_thinking(body, model)
        check_format(body)
        check_marks(body)
    except Refused as refused:
        return refused.status, refused.kind, str(refused)
    return None
