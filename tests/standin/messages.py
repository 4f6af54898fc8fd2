"""The shapes of the Messages API: messages, their event streams, errors."""

import json

DELTA_SIZE = 2000
# Of each type of block: what its text is called, and the delta that brings it.
TEXTS = {"text": ("text", "text_delta"), "thinking": ("thinking", "thinking_delta")}
CALLS = ("tool_use", "server_tool_use")


def default_usage():
    return {
        "input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "standard",
    }


def error_of(error):
    """What a script says of an error, as the API has it; error_code goes into the details."""
    made = {"type": error.get("type", "api_error"), "message": error.get("message", "scripted")}
    if "error_code" in error:
        made["details"] = {"error_code": error["error_code"]}
    return made


def error_body(kind, text, request_id="req_standin"):
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def filler(size):
    """Exactly so many bytes of numbered lines: a missing or doubled piece shows."""
    line = "line {:07d} of an answer that the stand-in made up to be long, for tests.\n"
    width = len(line.format(0))
    text = "".join(line.format(n) for n in range(size // width + 1))
    return text[:size]


def example_of(schema):
    """The simplest value that a schema of structured output allows."""
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for key in "anyOf", "allOf":
        if key in schema:
            return example_of(schema[key][0])
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example_of(inner) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items", {"type": "string"}))] * max(schema.get("minItems", 0), 1)
    return {"string": "text", "integer": 7, "number": 1.5, "boolean": True}.get(kind)


def message_of(n, model, blocks, reply, usage):
    calls = any(block["type"] == "tool_use" for block in blocks)
    message = {
        "id": f"msg_standin_{n:05d}", "type": "message", "role": "assistant", "model": model, "content": blocks,
        "stop_reason": reply.get("stop_reason", "tool_use" if calls else "end_turn"),
        "stop_sequence": reply.get("stop_sequence"), "usage": {**usage, **reply.get("usage", {})},
    }
    if message["stop_reason"] == "refusal":
        details = {"type": "refusal", "category": None, "explanation": None}
        message["stop_details"] = {**details, **reply.get("stop_details", {})}
    return message


def deltas_of(block, chunks):
    kind = block["type"]
    if kind in TEXTS:
        key, name = TEXTS[kind]
        whole = block[key]
    elif kind in CALLS:
        key, name, whole = "partial_json", "input_json_delta", json.dumps(block["input"])
    else:
        return
    size = -(-len(whole) // chunks) if chunks else DELTA_SIZE
    for at in range(0, len(whole), max(size, 1)):
        yield {"type": name, key: whole[at : at + max(size, 1)]}
    if kind == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}


def opened(block):
    """A block as its start has it: what deltas bring is not there yet."""
    kind = block["type"]
    if kind in TEXTS:
        empty = {TEXTS[kind][0]: ""}
        return {**block, **empty, "signature": ""} if kind == "thinking" else {**block, **empty}
    return {**block, "input": {}} if kind in CALLS else block


def events_of(message, chunks, pings):
    """The events of a streamed message; text and tool input come in so many chunks for each block."""
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None,
             "usage": {**message["usage"], "output_tokens": 1}}
    start.pop("stop_details", None)
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": opened(block)}
        if index == 0:
            yield from ({"type": "ping"} for _ in range(pings))
        for delta in deltas_of(block, chunks):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details") if key in message}
    counts = {k: v for k, v in message["usage"].items() if k.endswith("_tokens")}
    yield {"type": "message_delta", "delta": delta, "usage": counts}
    yield {"type": "message_stop"}


def with_error(events, error, after):
    """The same events, but an error ends them after so many deltas; after 0: before any content."""
    for event in events:
        if event["type"] == "content_block_delta":
            after -= 1
        if after < 0 or (after == 0 and event["type"].startswith("content_block_st")):
            break
        yield event
    yield {"type": "error", "error": error_of(error), "request_id": "req_standin"}


def with_noise(events):
    """The same events among what a later version of the API may add, and what a client has to leave alone."""
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            event = {**event, "weather": "fair", "message": {**event["message"], "mood": {"is": ["good", None]}}}
        if kind == "message_delta":
            nothing = {"stop_reason": None, "stop_sequence": None}
            yield {"type": "message_delta", "delta": nothing, "usage": {"output_tokens": 1}}
        yield {**event, "extra": {"type": "message_stop"}}
        if kind == "content_block_delta":
            yield {"type": "ping"}
            yield {"type": "horoscope", "index": event["index"], "delta": {"type": "text_delta", "text": "no"}}
            yield {**event, "delta": {"type": "scent_delta", "scent": "text", "text": "no"}}
