"""The local provider, and a real OpenAI client that talks to it."""

import openai
import pytest

from agentguard.demo.provider import ProviderServer


@pytest.fixture
def provider():
    """A provider that answers with the default script and never refuses."""
    with ProviderServer() as server:
        yield server


@pytest.fixture
def client(provider):
    """The real client, with no retries of its own."""
    with openai.OpenAI(
        api_key=provider.api_key, base_url=provider.base_url, max_retries=0
    ) as client:
        yield client
