"""The API as a page that needs nothing but itself: a desk's network may have no way out."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

_NAME: Final = re.compile(r"`([^`]+)`")
HEAD: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Truetape: the API</title><style>
body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
code,pre{font:13px/1.4 ui-monospace,monospace}pre{background:#8881;padding:.6rem;overflow-x:auto}
summary{cursor:pointer;padding:.2rem 0}summary b{display:inline-block;width:4.5rem}
details details,details>*:not(summary){margin-left:1.2rem}h2{margin:1.6rem 0 .4rem;text-transform:capitalize}
td{padding:0 1rem .15rem 0;vertical-align:top}</style></head><body>"""


def page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document: its operations by tag, each with what it takes and answers, then its types."""
    return "".join(_parts(document))


def _parts(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"{HEAD}<h1>{escape(info['title'])}</h1><p>{_prose(info['description'])}</p>"
    yield "<p>For machines: <a href='/openapi.json'>/openapi.json</a>.</p>"
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    for tag, operations in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(operations)}"
    yield "<h2>Types</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield _type(name, schema)
    yield "</body></html>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    shown = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {_prose(operation['summary'])}"
    about = _prose(operation.get("description", ""))
    asked = [_row(_parameter(one), one["schema"]) for one in operation["parameters"]]
    body = operation.get("requestBody", {"content": {}})["content"]
    answers = [_answer(status, answer) for status, answer in operation["responses"].items()]
    return (
        f"<details id='{operation['operationId']}'><summary>{shown}</summary>"
        f"<p>Scope: {escape(operation['x-truetape-scope'])}. {about}</p>"
        f"<table>{''.join(asked)}</table>{_content(body)}<table>{''.join(answers)}</table></details>"
    )


def _answer(status: str, answer: dict[str, Any]) -> str:
    about = _prose(answer["description"])
    return f"<tr><td><b>{status}</b></td><td>{about}{_content(answer.get('content', {}))}</td></tr>"


def _parameter(one: dict[str, Any]) -> str:
    return f"{one['name']} ({one['in']}{', required' if one['required'] else ''})"


def _content(content: dict[str, Any]) -> str:
    """The type of a body, linked, and its example."""
    found = []
    for media, one in content.items():
        if media == "application/problem+json":
            continue
        found.append(f"<div>{escape(media)}: {_kind(one['schema'])}</div>")
        if "example" in one:
            found.append(f"<pre>{escape(json.dumps(one['example'], indent=2))}</pre>")
    return "".join(found)


def _type(name: str, schema: dict[str, Any]) -> str:
    rows = [_row(field, inner) for field, inner in schema.get("properties", {}).items()]
    about = _prose(schema.get("description", ""))
    return (
        f"<details><summary><code>{escape(name)}</code></summary>"  # What a link leads to opens what it is in.
        f"<p id='type-{escape(name)}'>{about}</p><table>{''.join(rows)}</table></details>"
    )


def _prose(text: str) -> str:
    """Words of the code, whose names stand between backticks."""
    return _NAME.sub(r"<code>\1</code>", escape(text))


def _row(name: str, schema: dict[str, Any]) -> str:
    words = _prose(schema.get("description", ""))
    return f"<tr><td><code>{escape(name)}</code></td><td>{_kind(schema)}</td><td>{words}</td></tr>"


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words: a link, the values of an enum, or a type with what bounds it."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#type-{name}'>{name}</a>"
    if "enum" in schema:
        return " | ".join(escape(str(value)) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{word} {escape(str(schema[word]))}" for word in BOUNDS if word in schema]
    return ", ".join([escape(str(schema.get("type", "anything"))), *bounds])


BOUNDS: Final = ("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "default")
