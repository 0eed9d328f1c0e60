"""The tools, resources and prompts that the MCP conformance suite expects of a server.

They take the place of ours behind the same endpoint: what is tried with them is that content of
every kind goes through it as it is.
"""

from __future__ import annotations

import json
from typing import Any

from agentguard_mcp.sdk import INVALID_PARAMS, RESOURCE_NOT_FOUND, Asked, ProtocolError

__all__ = ["answer"]

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJ"
    "RU5ErkJggg=="
)
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
    "additionalProperties": False,
}


def text(words: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": words}


def resource(uri: str, kind: str, words: str) -> dict[str, Any]:
    """A block with a resource in it."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": words}}


TOOLS: dict[str, dict[str, Any]] = {
    "test_simple_text": {"content": [text("This is a simple text response for testing.")]},
    "test_image_content": {"content": [IMAGE]},
    "test_audio_content": {"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]},
    "test_embedded_resource": {
        "content": [
            resource(
                "test://embedded-resource", "text/plain", "This is an embedded resource content."
            )
        ]
    },
    "test_multiple_content_types": {
        "content": [
            text("Multiple content types test:"),
            IMAGE,
            resource(
                "test://mixed-content-resource",
                "application/json",
                json.dumps({"test": "data", "value": 123}),
            ),
        ]
    },
    "test_error_handling": {
        "content": [text("This tool intentionally returns an error for testing")],
        "isError": True,
    },
    "json_schema_2020_12_tool": {"content": [text("fine")]},
}
RESOURCES: dict[str, dict[str, Any]] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://template/123/data": {
        "mimeType": "application/json",
        "text": json.dumps({"id": "123", "templateTest": True, "data": "Data for ID: 123"}),
    },
}


def prompt(name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a prompt's messages."""
    match name:
        case "test_simple_prompt":
            return [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            return [text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")]
        case "test_prompt_with_embedded_resource":
            embedded = "Embedded resource content for testing."
            return [
                resource(given["resourceUri"], "text/plain", embedded),
                text("Please process the embedded resource above."),
            ]
        case "test_prompt_with_image":
            return [IMAGE, text("Please analyze the image above.")]
    raise ProtocolError(INVALID_PARAMS, "there is no such prompt")


async def answer(asked: Asked) -> dict[str, Any]:
    """Answer as the suite expects."""
    params = asked.params
    match asked.method:
        case "tools/list":
            plain = {"type": "object"}
            return {
                "tools": [
                    {"name": name, "inputSchema": SCHEMA if "schema" in name else plain}
                    for name in TOOLS
                ]
            }
        case "tools/call":
            return TOOLS[params["name"]]
        case "resources/read":
            if found := RESOURCES.get(params["uri"]):
                return {"contents": [{"uri": params["uri"], **found}]}
            raise ProtocolError(RESOURCE_NOT_FOUND, "there is no such resource")
        case "prompts/get":
            content = prompt(params["name"], params.get("arguments") or {})
            return {"messages": [{"role": "user", "content": each} for each in content]}
    raise ProtocolError(INVALID_PARAMS, "not part of this")
