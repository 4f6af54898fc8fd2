"""The shapes of the Messages API: messages, their event streams, errors."""

import json

DELTA_SIZE = 2000


def default_usage():
    return {
        "input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "standard",
    }


def error_body(kind, text, request_id="req_standin"):
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def filler(size):
    """Exactly so many bytes of numbered lines: a missing or doubled piece shows."""
    line = "line {:07d} of an answer that the stand-in made up to be long, for tests.\n"
    width = len(line.format(0))
    text = "".join(line.format(n) for n in range(size // width + 1))
    return text[:size]


def message_of(n, model, content, reply):
    texts, tools = content
    blocks = [{"type": "text", "text": text} for text in texts]
    for i, tool in enumerate(tools):
        name = f"toolu_standin_{n:05d}_{i}"
        blocks.append({"type": "tool_use", "id": name, "name": tool["name"], "input": tool.get("input", {})})
    reason = reply.get("stop_reason", "tool_use" if tools else "end_turn")
    message = {
        "id": f"msg_standin_{n:05d}", "type": "message", "role": "assistant", "model": model, "content": blocks,
        "stop_reason": reason, "stop_sequence": None, "usage": {**default_usage(), **reply.get("usage", {})},
    }
    if reason == "refusal":
        message["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return message


def deltas_of(block, chunks):
    if block["type"] == "text":
        kind, key, whole = "text_delta", "text", block["text"]
    else:
        kind, key, whole = "input_json_delta", "partial_json", json.dumps(block["input"])
    size = -(-len(whole) // chunks) if chunks else DELTA_SIZE
    for at in range(0, len(whole), max(size, 1)):
        yield {"type": kind, key: whole[at : at + max(size, 1)]}


def events_of(message, chunks, pings):
    """The events of a streamed message; text and tool input come in so many chunks for each block."""
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    start.pop("stop_details", None)
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        empty = {"text": ""} if block["type"] == "text" else {"input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        if index == 0:
            yield from ({"type": "ping"} for _ in range(pings))
        for delta in deltas_of(block, chunks):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details") if key in message}
    counts = {k: v for k, v in message["usage"].items() if k.endswith("_tokens")}
    yield {"type": "message_delta", "delta": delta, "usage": counts}
    yield {"type": "message_stop"}
