"""`POST /v1/embeddings`: https://platform.openai.com/docs/api-reference/embeddings."""

import base64
import hashlib
import struct
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from agentguard.demo.provider.conversation import Responder, Usage, count_tokens
from agentguard.demo.provider.errors import ProtocolError
from agentguard.demo.provider.openai_request import required
from agentguard.demo.provider.reply import Reply

__all__ = ["answer"]

_DIMENSIONS = 64


def answer(body: Mapping[str, Any], responder: Responder) -> Reply:
    """Embeds each input as a unit-free vector derived from its hash."""
    given = required(body, "input", (str, list))
    texts = [given] if isinstance(given, str) else [str(t) for t in given]
    if not texts:
        raise ProtocolError(HTTPStatus.BAD_REQUEST, "'input' must not be empty.", param="input")
    size = int(body.get("dimensions") or _DIMENSIONS)
    encode = _base64 if body.get("encoding_format") == "base64" else list
    tokens = sum(count_tokens(t) for t in texts)
    data = [
        {"object": "embedding", "index": i, "embedding": encode(_vector(t, size))}
        for i, t in enumerate(texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    model = required(body, "model", str)
    reply = {"object": "list", "data": data, "model": model, "usage": usage}
    return Reply(reply, usage=Usage(input=tokens))


def _vector(text: str, size: int) -> tuple[float, ...]:
    raw = hashlib.shake_256(text.encode()).digest(size)
    return tuple(b / 127.5 - 1.0 for b in raw)


def _base64(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
