"""The models that the runaways call: one through the `openai` client, one through none."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import openai
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI

from tests.integrations.driving import Provider

MODEL = "gpt-4o-mini"


def openai_model(at: Provider, **options: Any) -> ChatOpenAI:
    """The usual one; it does not try again by itself, and reads no certificates."""
    return ChatOpenAI(
        model=MODEL,
        base_url=at.base_url,
        api_key=at.api_key,
        max_retries=0,
        stream_usage=True,
        http_client=openai.DefaultHttpxClient(verify=False),
        http_async_client=openai.DefaultAsyncHttpxClient(verify=False),
        **options,
    )


class PlainModel(BaseChatModel):
    """A model behind `http.client`: no client whose edge could be guarded."""

    base_url: str
    api_key: str
    model: str = MODEL

    @property
    def _llm_type(self) -> str:
        return "plain"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """Offer the tools in OpenAI's form."""
        return self.bind(tools=[convert_to_openai_tool(each) for each in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        asked = {"model": self.model, "messages": convert_to_openai_messages(messages)}
        if "tools" in options:
            asked["tools"] = options["tools"]
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        connection = HTTPConnection(urlsplit(self.base_url).netloc)
        connection.request("POST", "/v1/chat/completions", json.dumps(asked), headers)
        said = json.load(connection.getresponse())
        connection.close()
        choice, usage = said["choices"][0], said["usage"]
        message = AIMessage(
            choice["message"]["content"] or "",
            tool_calls=[
                {
                    "name": each["function"]["name"],
                    "args": json.loads(each["function"]["arguments"]),
                    "id": each["id"],
                }
                for each in choice["message"].get("tool_calls") or ()
            ],
            usage_metadata={
                "input_tokens": usage["prompt_tokens"],
                "output_tokens": usage["completion_tokens"],
                "total_tokens": usage["total_tokens"],
                "input_token_details": {
                    "cache_read": usage["prompt_tokens_details"]["cached_tokens"]
                },
            },
            response_metadata={
                "finish_reason": choice["finish_reason"],
                "model_name": said["model"],
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def plain_model(at: Provider) -> PlainModel:
    """The one without a client."""
    return PlainModel(base_url=at.base_url, api_key=at.api_key)
