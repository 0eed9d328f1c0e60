"""The oldest version of each library that its instrumentor claims."""

import json

import pytest

from tests.integrations.conftest import run_in
from tests.integrations.driving import GUARDS, Outcome
from tests.integrations.environments import python_with_packages
from tests.integrations.stopping import check_stopped

# What is installed, and which module drives it.
OLDEST = {
    "openai": (["openai==1.109.1"], "openai_client"),
    "anthropic": (["anthropic==0.70.0"], "anthropic_client"),
    "google-genai": (["google-genai==1.50.0"], "google_genai_client"),
    "litellm": (["litellm==1.100.5"], "litellm_functions"),
    "langchain": (
        [
            "langchain-core==1.0.0",
            "langchain==1.0.0",
            "langchain-openai==1.0.0",
            "langgraph==1.0.0",
            "langgraph-prebuilt==1.0.0",
        ],
        "langchain",
    ),
    "crewai": (["crewai==1.15.15"], "crewai_crews"),
    "autogen": (
        ["autogen-agentchat==0.7.0", "autogen-ext[openai]==0.7.0", "openai==1.109.1"],
        "autogen",
    ),
    "llamaindex": (
        [
            "llama-index-core==0.14.0",
            "llama-index-workflows==2.14.0",
            "llama-index-llms-openai==0.5.6",
            "llama-index-embeddings-openai==0.5.2",
        ],
        "llamaindex",
    ),
    # With an openai of its time: it does not fill in what later ones require of their types.
    "openai-agents": (["openai-agents==0.10.5", "openai==2.26.0"], "openai_agents"),
}


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("library", OLDEST)
def test_a_runaway_of_the_oldest_version_is_stopped(library):
    """What holds of the newest version holds of the oldest: stopped, and every token counted."""
    packages, module = OLDEST[library]
    python = python_with_packages(f"oldest-{library}", packages)
    done = run_in(python, "-m", f"tests.integrations.{module}.runaways", bound=600)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    assert len(lines) > 6 * len(GUARDS)
    for line in lines[:-1]:
        check_stopped(Outcome(**line))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_agent_with_the_oldest_mcp_is_stopped():
    """A tool of a server that answers the same again and again is a loop."""
    python = python_with_packages("oldest-mcp", ["mcp==1.27.0"])
    done = run_in(python, "-m", "tests.integrations.mcp_client.calls")
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)["stopped_by"] == "loop"
