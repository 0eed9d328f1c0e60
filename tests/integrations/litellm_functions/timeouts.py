"""Prints after how many seconds a call that hangs ends: LiteLLM's own time-out is one."""

import threading
import time

import litellm

import agentguard
from agentguard import TimeoutGuard
from agentguard.demo.provider import Answer, ProviderServer
from agentguard_integrations.litellm import LiteLLMInstrumentor

litellm.request_timeout = 1.0
over = threading.Event()


def _hang(conversation: object) -> Answer:
    over.wait(20)
    return Answer("late")


LiteLLMInstrumentor().instrument()
with ProviderServer(_hang) as server:
    began = time.monotonic()
    try:
        with agentguard.run("r", guards=[TimeoutGuard(max_seconds=60)]):
            litellm.completion(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": "hello"}],
                api_base=server.base_url,
                api_key=server.api_key,
                max_retries=0,
            )
    except litellm.Timeout:
        print(time.monotonic() - began)  # noqa: T201 - what is asked
    finally:
        over.set()
