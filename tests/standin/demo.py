"""Replies for a demonstration: the page that a prompt asks for, and one closing sentence."""

import os
import re
import textwrap
import zlib

NOTE = "written by the stand-in of claudemake's tests, not by a model"


def reply_to(request):
    if request.turn:
        return closing(request)
    prompt = next((text for text in reversed(request.texts) if not text.startswith("<system-reminder>")), "").strip()
    found = re.search(r"\b(?:to|file) [`'\"]?([\w./-]+\.md)\b", prompt)
    if not found:
        return {"text": f"This answer was {NOTE}. The prompt began: “{beginning(prompt)}”", **pace(prompt)}
    path = os.path.join(request.cwd(), found.group(1))
    page = page_of(path, prompt)
    return {"tool": {"name": "Write", "input": {"file_path": path, "content": page}}, **pace(path)}


def closing(request):
    if any(result.get("is_error") for result in request.tool_results):
        return {"text": "I was not allowed to write that file.", "delay_ms": 200}
    return {"text": "I wrote the page; it is a placeholder, " + NOTE + ".", "delay_ms": 400}


def pace(seed):
    return {"delay_ms": 700 + zlib.crc32(seed.encode()) % 1500}


def beginning(prompt):
    return textwrap.shorten(prompt, 160, placeholder=" …")


def page_of(path, prompt):
    title = os.path.splitext(os.path.basename(path))[0].replace("-", " ").replace("_", " ")
    title = title[:1].upper() + title[1:]
    paragraphs = [
        f"# {title}",
        f"This page is about: {title}. The task behind it reads:",
        textwrap.indent(textwrap.fill(textwrap.shorten(prompt, 600, placeholder=" …"), 76), "> "),
        "A model would have read the files that the prompt names and put the page itself here.\n"
        "Everything around it was real: the plan, the `claude` program, its permission to write\n"
        "this one file, and the record of what was done.",
        f"*This page was {NOTE}.*",
    ]
    return "\n\n".join(paragraphs) + "\n"
