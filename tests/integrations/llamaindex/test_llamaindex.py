"""LlamaIndex: its agents, workflows, engines, models and tools, each in a Python that has it."""

import json
import re

import pytest

from tests.integrations.conftest import ROOT, run_in
from tests.integrations.stopping import check_stopped, each_runaway

GROUP = "llamaindex"
RUNAWAYS = "tests.integrations.llamaindex.runaways"
SCENARIOS = "tests.integrations.llamaindex.scenarios"

# The forms, and whether their caller sees what stopped them: the others catch everything.
FORMS = {
    "sync": False,
    "stream": False,
    "chat stream": True,
    "async": True,
    "async stream": False,
    "events": True,
    "handoffs": True,
    "workflow": True,
    "retries": True,
    "parallel": False,
    "parallel tools": True,
    "tool errors": True,
    "custom": False,
    "custom agent": True,
}
RAISED = {"loop": "LoopDetected", "budget": "BudgetExceeded", "deadline": "TimeoutExceeded"}

TREES = {
    "handoff": """
        invoke_workflow AgentWorkflow
          invoke_agent researcher
            chat gpt-4o-mini
            execute_tool lookup
            chat gpt-4o-mini
            task handoff to writer
          invoke_agent writer
            chat gpt-4o-mini
    """,
    "tool_failure": """
        invoke_agent Agent
          chat gpt-4o-mini
          execute_tool failing
          chat gpt-4o-mini
    """,
    "denied": """
        invoke_workflow denied
          invoke_agent Agent
            chat gpt-4o-mini
            guard tool_policy
            chat gpt-4o-mini
    """,
    "person": """
        invoke_agent Agent
          chat gpt-4o-mini
          execute_tool asking
          execute_tool asking
          chat gpt-4o-mini
    """,
    "steps": """
        invoke_workflow _Steps
          task split
          task work
            chat gpt-4o-mini
          task work
            chat gpt-4o-mini
          task join
          task join
    """,
    "query_tool": """
        invoke_workflow VectorStoreIndex.from_documents
          embeddings MockEmbedding
        invoke_agent Agent
          chat gpt-4o-mini
          execute_tool documents
            invoke_workflow RetrieverQueryEngine
              retrieval VectorIndexRetriever
                embeddings MockEmbedding
              chat gpt-4o-mini
          chat gpt-4o-mini
    """,
    "streamed_query": """
        invoke_workflow VectorStoreIndex.from_documents
          embeddings MockEmbedding
        invoke_workflow RetrieverQueryEngine
          retrieval VectorIndexRetriever
            embeddings MockEmbedding
          chat gpt-4o-mini
    """,
    "streamed_chat": """
        invoke_workflow VectorStoreIndex.from_documents
          embeddings MockEmbedding
        invoke_workflow CondensePlusContextChatEngine
          retrieval VectorIndexRetriever
            embeddings MockEmbedding
          chat gpt-4o-mini
    """,
    "client_traced": """
        invoke_agent Agent
          chat gpt-4o-mini
          execute_tool lookup
          chat gpt-4o-mini
        chat gpt-4o-mini
    """,
    "quickstart": """
        invoke_agent Agent
          chat gpt-4o-mini
          execute_tool multiply
          chat gpt-4o-mini
    """,
    "quickstart_documents": """
        invoke_workflow VectorStoreIndex.from_documents
          embeddings text-embedding-ada-002
        invoke_workflow AgentWorkflow
          invoke_agent Agent
            chat gpt-4o-mini
            execute_tool multiply
            chat gpt-4o-mini
            execute_tool search_documents
              invoke_workflow RetrieverQueryEngine
                retrieval VectorIndexRetriever
                  embeddings text-embedding-ada-002
                chat gpt-3.5-turbo
            chat gpt-4o-mini
    """,
}
RESULT = "Otters hold hands when they sleep."


@pytest.fixture(scope="module")
def scenarios(python_with):
    """What each scenario says, by its name."""
    done = run_in(python_with(GROUP), "-m", SCENARIOS)
    assert done.returncode == 0, done.stderr[-4000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    return {each["name"]: each for each in told if "name" in each}


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, and whoever called it is told by which."""
    outcome = outcomes_of(GROUP, RUNAWAYS)[form, guard]
    check_stopped(outcome)
    if FORMS[form]:
        assert outcome.raised == RAISED[guard], outcome


@pytest.mark.parametrize("name", TREES)
def test_spans_make_a_tree(scenarios, name):
    """Each thing has its span under the one that it is a part of, and tokens are the provider's."""
    said = scenarios[name]
    lines = [line[8:] for line in TREES[name].splitlines()[1:-1]]
    assert said["tree"] == lines
    assert said["orphans"] == said["late"] == []
    assert said["spans"] == said["log"] != []
    assert said.get("result") in (None, RESULT, "joined")


def test_the_quick_start_is_one_trace(scenarios):
    """The published example, as it is, is one trace with its answer."""
    assert scenarios["quickstart"]["traces"] == 1
    assert RESULT in scenarios["quickstart"]["output"]
    assert RESULT in scenarios["quickstart_documents"]["output"]


def test_the_page_is_true(scenarios):
    """The code of the docs runs as it stands, and makes the tree that is shown below it."""
    page = (ROOT / "docs/integrations/llamaindex.md").read_text()
    (tree,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert scenarios["page"]["tree"] == tree.splitlines()
    assert scenarios["page"]["spans"] == scenarios["page"]["log"]
    assert RESULT in scenarios["page"]["output"]
    assert len(page.splitlines()) <= 80


def test_agents_at_once_have_their_own_calls(scenarios):
    """What two agents do at the same time is under the one that does it, and says whose it is."""
    said = scenarios["parallel_agents"]
    each = ["    chat gpt-4o-mini", "    execute_tool lookup", "    chat gpt-4o-mini"]
    expected = ["invoke_workflow both", "  invoke_agent a", *each, "  invoke_agent b", *each]
    assert said["tree"] == expected
    calls = [(agent, asked) for name, agent, asked in said["identities"] if "tool" in name]
    assert sorted(agent for agent, _ in calls) == ["a", "b"]
    assert all(asked.startswith("call_") for _, asked in calls)


def test_turns_are_of_their_agents(scenarios):
    """Spans within an agent's turn carry its name, and those of the next one another."""
    said = scenarios["handoff"]["identities"]
    assert [agent for name, agent, _ in said if name.startswith("chat")] == [
        *["researcher"] * 2,
        "writer",
    ]


def test_what_failed_says_so(scenarios):
    """Errors have their type and message, where they happened; waiting for a person is none."""
    failed = {"execute_tool failing": "LookupError: nothing about otters"}
    assert scenarios["tool_failure"]["errors"] == failed
    assert scenarios["other_errors"]["errors"] == {"chat Fails": "ConnectionError: no line"}
    assert scenarios["person"]["errors"] == {}
    assert scenarios["cancelled"]["raised"] == "WorkflowCancelledByUser"


def test_a_hidden_stop_comes_out(scenarios):
    """An agent that only warns of what its last model call failed with raises it all the same."""
    assert scenarios["structured"]["raised"] == "BudgetExceeded"
    assert scenarios["structured"]["requests"] == 1


def test_a_model_without_a_client_is_stopped(scenarios):
    """A wait for a model that nobody else knows ends at the deadline, in pieces and in whole."""
    said = scenarios["without_client"]
    assert said["raised"] == ["TimeoutExceeded"] * 3
    assert said["took"] < 2
    assert said["spans"] == [["slow-1", 7, 0, 5, 0]]


def test_a_stream_that_nobody_reads_ends(scenarios):
    """A span does not stay open where a stream is dropped, begun or not."""
    assert scenarios["given_up"]["tree"] == ["chat gpt-4o-mini"] * 2
    assert scenarios["given_up"]["orphans"] == []


def test_content_is_kept_only_when_asked_for(scenarios):
    """Questions, arguments, documents and answers are on spans where content is captured."""
    with_content = scenarios.pop("quickstart_documents")["captured"]
    assert all(said["captured"] == [] for said in scenarios.values())
    kept = {key: value for attributes in with_content for key, value in attributes.items()}
    (document,) = json.loads(kept["gen_ai.retrieval.documents"])
    assert set(document) == {"id", "score", "content"}
    assert "philosophy" in document["content"]
    assert kept["gen_ai.retrieval.query.text"] == "What did the author do in college?"
    tool = next(said for said in with_content if said.get("gen_ai.tool.name") == "multiply")
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"a": 1234, "b": 4567}
    assert tool["gen_ai.tool.call.result"] == "5635678"
    root = with_content[1]
    assert "What did the author do" in root["gen_ai.input.messages"]
    assert RESULT in root["gen_ai.output.messages"]


def test_it_is_taken_back(scenarios):
    """Instrumenting twice is once; uninstrumented, nothing is seen; then everything again."""
    assert scenarios["uninstrumented"]["tree"] == ["chat Later"]
    assert scenarios["uninstrumented"]["requests"] == 3
