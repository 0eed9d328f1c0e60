"""LangChain and LangGraph."""

import json
import re

import pytest

from tests.integrations.conftest import ROOT, run_in
from tests.integrations.stopping import check_stopped, each_runaway

HERE = "tests.integrations.langchain"
FOLDER = "tests/integrations/langchain"
PAGE = ROOT / "docs/integrations/langchain.md"
# The names of `runaways.FORMS`, which takes the library to import.
FORMS = [
    "sync",
    "stream",
    "async",
    "async stream",
    "retried by middleware",
    "without client",
    "tool errors handled",
    "nodes retried",
    "with retry",
    "with fallbacks",
    "swallowed",
    "parallel sends",
    "async parallel sends",
    "parallel branches",
    "parallel batch",
]
SWALLOWING = {"swallowed", "parallel batch"}
RAISED = {"loop": "LoopDetected", "budget": "BudgetExceeded", "deadline": "TimeoutExceeded"}


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, with nothing sent afterwards and every token counted."""
    check_stopped(outcomes_of("langchain", f"{HERE}.runaways")[form, guard])


@each_runaway([form for form in FORMS if form not in SWALLOWING])
def test_the_caller_gets_what_stopped_it(outcomes_of, form, guard):
    """What `invoke` and its like raise is the guard's own exception."""
    outcome = outcomes_of("langchain", f"{HERE}.runaways")[form, guard]
    assert outcome.raised == RAISED[guard]


def test_all_forms_are_tested(outcomes_of):
    """No form is left out here."""
    assert {form for form, _ in outcomes_of("langchain", f"{HERE}.runaways")} == set(FORMS)


QUICKSTARTS = {
    "quickstart": [
        "invoke_agent LangGraph",
        "  task model",
        "    chat gpt-5",
        "  task tools",
        "    execute_tool get_weather",
        "  task model",
        "    chat gpt-5",
    ],
    "quickstart_langgraph": [
        "invoke_workflow LangGraph",
        "  task llm_call",
        "    chat gpt-4.1-mini",
        "    task should_continue",
        "  task tool_node",
        "    execute_tool add",
        "  task llm_call",
        "    chat gpt-4.1-mini",
        "    task should_continue",
    ],
}


@pytest.fixture(scope="module")
def traced(python_with, tmp_path_factory):
    """What was traced of each program, by name; `docs` is the snippet of the page."""
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    docs = tmp_path_factory.mktemp("docs") / "snippet.py"
    docs.write_text(snippet)
    programs = {name: f"{FOLDER}/{name}.py" for name in QUICKSTARTS} | {"docs": str(docs)}
    python, module = python_with("langchain"), f"{HERE}.traced_quickstart"
    done = run_in(python, "-m", module, *programs.values())
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(zip(programs, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", QUICKSTARTS)
def test_the_published_example_is_one_trace(traced, name):
    """It has the right tree, no orphans, the provider's own tokens, and no content."""
    found = traced[name]
    assert found["tree"] == QUICKSTARTS[name]
    assert found["traces"] == 1
    assert found["orphans"] == []
    assert found["model_calls"] == found["log"]
    assert len(found["log"]) == 2
    assert found["content"] == []


def test_the_snippet_of_the_docs_runs(traced):
    """It runs as it is, and its tree is the one that is shown."""
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found = traced["docs"]
    assert found["tree"] == shown.splitlines()
    assert found["model_calls"] == found["log"]
    assert found["traces"] == 1


@pytest.fixture(scope="module")
def scenarios(python_with):
    """What `scenarios` found, by name."""
    done = run_in(
        python_with("langchain"), "-W", "error::RuntimeWarning", "-m", f"{HERE}.scenarios"
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "callback" not in done.stderr
    assert "never awaited" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["scenario"]: line["found"] for line in lines}


@pytest.mark.parametrize(
    ("guard", "error", "calls"), [("loop", "LoopDetected", 3), ("budget", "BudgetExceeded", 2)]
)
def test_a_model_that_no_client_is_behind_is_stopped(scenarios, guard, error, calls):
    """Guards stop it where it is called, and let it be called no more."""
    found = scenarios["no_http"][guard]
    assert found == {"raised": error, "stopped_by": guard, "called": calls, "after": 0}


def test_uninstrument_leaves_the_library_as_it_was(scenarios):
    """Twice on is once on; off is off, down to the last function that was wrapped."""
    found = scenarios["reversible"]
    assert found["off"] == []
    assert found["on"] == ["invoke_workflow len"]
    assert found["differing"] > 15
    assert found["same"]
    assert found["filters"] == 0


def test_an_interrupt_is_no_failure(scenarios):
    """A graph that asks a person ends without an error, and goes on in the same conversation."""
    for half in scenarios["interrupted"].values():
        assert half["tree"] == ["invoke_workflow asks", "  task ask"]
        assert half["errors"] == {}
        root = half["attributes"]["invoke_workflow asks"]
        assert root["gen_ai.conversation.id"] == "thread-7"


def test_no_span_of_an_abandoned_stream_stays_open(scenarios):
    """Of a stream that nobody reads on, in a thread or a task, all spans end and have parents."""
    for found in (scenarios["abandoned"], scenarios["abandoned_async"]):
        assert found["tree"][:3] == [
            "invoke_agent reader",
            "  task model",
            "    chat gpt-4o-mini",
        ]
        assert found["orphans"] == []
    assert scenarios["abandoned"]["tree"][3:] == ["chat gpt-4o-mini"]


def test_a_cancelled_agent_says_so(scenarios):
    """Cancelling it ends its spans as cancelled, and reaches the caller as it would without us."""
    found = scenarios["cancelled"]
    assert found["raised"] == "TimeoutError"
    assert found["orphans"] == []
    assert set(found["errors"]) == {"invoke_agent waiter", "task tools", "execute_tool wait"}


def test_a_model_is_told_that_its_tool_call_is_denied(scenarios):
    """The agent goes on without; who calls the tool without a model gets the exception."""
    found = scenarios["denied"]
    told, status, call_id = found["told"]
    assert told.startswith("the tool search may not be called")
    assert (status, call_id) == ("error", "call_1")
    assert found["answer"] == "Then not."
    assert not found["stopped"]
    assert found["direct"].startswith("the tool search may not be called")
    assert not any("execute_tool" in line for line in found["tree"])


def test_an_error_made_of_a_stop_comes_out_as_the_stop(scenarios):
    """Sync, async and streamed; an application's own errors come out as they are."""
    found = scenarios["translated"]
    assert found["raised"] == [*["BudgetExceeded"] * 3, "AttributeError"]
    assert found["errors"]["invoke_workflow broken"].startswith("AttributeError")


def test_other_handlers_hear_of_no_call_that_never_began(scenarios):
    """For a handler of the application's, whatever began also ended."""
    assert scenarios["told_to_others"]["begun"] > 4
    assert scenarios["told_to_others"]["open"] == 0


def test_a_search_says_what_it_found_and_how_near(scenarios):
    """Ids, scores and texts, the scores also of a vector store whose retriever drops them."""
    for name in ("scored", "scored async"):
        (attributes,) = scenarios["retrieved"][name]["attributes"].values()
        assert attributes["gen_ai.data_source.id"] == "_Store"
        assert attributes["gen_ai.retrieval.query.text"] == "What do otters do?"
        assert json.loads(attributes["gen_ai.retrieval.documents"]) == [
            {"id": "doc-1", "score": 0.9, "content": "Otters float.", "metadata": {"page": 3}},
            {"id": "doc-2", "score": 0.7, "content": "Otters dive."},
        ]


def test_what_a_retriever_calls_is_inside_of_it(scenarios):
    """A call to an embedding model is the search's, and what comes after it is not."""
    for name in ("embedded", "embedded async"):
        assert scenarios["retrieved"][name]["tree"] == [
            "invoke_workflow RunnableSequence",
            "  retrieval _Embedding",
            "    embeddings text-embedding-3-small",
            "  task len",
        ]


def test_an_answer_from_the_cache_costs_nothing(scenarios):
    """LangChain repeats the tokens of the first answer: they are not counted again."""
    first, second = scenarios["cached"]["tokens"]
    assert first > 0
    assert second is None


def test_each_conversation_of_one_call_has_its_own_tokens(scenarios):
    """`generate` with two is two spans, each with what the provider counted for it."""
    found = scenarios["several"]
    assert found["sync"] == found["async"]
    assert len({tuple(each) for each in found["sync"]}) == 2
    assert found["completions"] == ["chat FakeListLLM"] * 2
    assert found["refused"] == [
        "invoke_workflow refused",
        "  chat gpt-4o-mini",
        "  guard budget",
    ]


def test_a_stream_tells_when_its_first_piece_came(scenarios):
    """With and without a client; at a deadline it is cut between two pieces."""
    found = scenarios["streamed"]
    for attributes in (found["plain"], found["openai"]):
        (span,) = attributes.values()
        assert 0 < span["gen_ai.response.time_to_first_chunk"] < 5
    (openai,) = found["openai"].values()
    assert openai["gen_ai.usage.input_tokens"] == 6
    assert 0 < found["cut"] < 100
    assert 0 < found["cut async"] < 100


def test_nothing_is_tried_again_in_a_run_that_was_stopped(scenarios):
    """`with_retry` ends at once, also in tasks and for several at a time."""
    found = scenarios["retried"]
    assert found["raised"] == ["BudgetExceeded"] * 4
    assert found["seconds"] < 1.9


def test_a_handover_is_a_step_of_its_own(scenarios):
    """Agents in a graph, of which one hands over to the other, are one trace."""
    assert scenarios["handed_over"]["tree"] == [
        "invoke_workflow team",
        "  task first",
        "    invoke_agent first",
        "      task model",
        "        chat AskingModel",
        "      task tools",
        "        execute_tool transfer",
        "          task handoff to expert",
        "  task expert",
        "    invoke_agent expert",
        "      task model",
        "        chat AskingModel",
    ]
    handoff = scenarios["handed_over"]["attributes"]["task handoff to expert"]
    assert handoff["gen_ai.operation.name"] == "handoff"
    assert scenarios["handed_over"]["errors"] == {}


def test_odd_metadata_breaks_nothing(scenarios):
    """Whatever stands in names and metadata, the application gets its answers."""
    assert scenarios["odd"] == {"answer": "ok", "same": "x", "orphans": []}


def test_spans_of_the_application_are_where_they_belong(scenarios):
    """Its own spans around a chain, and inside of one, are parents as they would be without us."""
    inner = ["  invoke_workflow ask", "    task own work", "      chat FakeListChatModel"]
    assert scenarios["inside_spans"]["tree"] == ["task outside", *inner, *inner]
