"""Loops are found, and what looks like a loop is not one: a corpus of agents' behaviour."""

import copy
import json
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard.errors import ConfigurationError, LoopDetected
from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.loop import LoopGuard
from agentguard.guards.normalise import message_forms
from agentguard.guards.state import RunState

CORPUS = [
    json.loads(line)
    for file in sorted((Path(__file__).parent / "corpus").glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
]
LOOPS = [entry for entry in CORPUS if entry["label"] == "loop"]
CYCLES = [
    entry
    for entry in LOOPS
    if entry["cycle"] > 1 and not entry["name"].startswith(("odd", "turns"))
]
FINE = [entry for entry in CORPUS if entry["label"] == "fine"]
a_loop = pytest.mark.parametrize("entry", LOOPS, ids=lambda entry: entry["name"])
looks_like_one = pytest.mark.parametrize("entry", FINE, ids=lambda entry: entry["name"])
quick = settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def stopped_at(calls, guard=None):
    """The index of the call that a guard stops the run at, refused or ended; None without one."""
    run = RunState("r", "1", [guard or LoopGuard()])
    agents: dict[str, Call] = {}
    for index, said in enumerate(calls):
        name = said.get("agent")
        if name and name not in agents:
            agents[name] = Call("agent", name, run)
        call = Call(
            said["kind"],
            said["name"],
            run,
            parent=agents.get(name),
            arguments=said.get("arguments"),
            content=said.get("content"),
        )
        try:
            admit(call)
        except LoopDetected:
            return index
        call.output = said.get("output")
        error = said.get("error")
        settle(call, "error" if error else "ok", error)
        if run.stopped is not None:
            return index
    return None


def latest(entry):
    """Where a loop has to be found: two cycles after its start."""
    if "wanted" in entry:
        return entry["starts_at"] + entry["wanted"]
    rounds = 10 if entry.get("patience") else 2
    return entry["starts_at"] + rounds * entry["cycle"] + 1


def test_the_corpus_is_large_enough():
    """There are more than 40 sequences of each kind together, no two of a name."""
    assert len({entry["name"] for entry in CORPUS}) == len(CORPUS) > 60
    assert min(len(LOOPS), len(FINE)) > 30


@a_loop
def test_a_loop_is_found(entry):
    """Every loop is found within two cycles of its start, and not before it begins."""
    found = stopped_at(entry["calls"])
    assert found is not None, "not found"
    assert entry["starts_at"] < found <= latest(entry)


@looks_like_one
def test_what_makes_progress_is_no_loop(entry):
    """Nothing that gets on is stopped."""
    assert stopped_at(entry["calls"]) is None


@looks_like_one
def test_what_makes_progress_is_no_loop_when_repeated_by_others(entry):
    """Nor when another agent does the same at the same time."""
    calls = []
    for call in entry["calls"]:
        name = call.get("agent", "")
        calls += [{**call, "agent": f"{name}1"}, {**call, "agent": f"{name}2"}]
    assert stopped_at(calls) is None


@a_loop
@quick
@given(data=st.data())
def test_noise_hides_no_loop(entry, data):
    """Ids, timestamps and the order of keys that change from call to call hide no loop."""
    calls = copy.deepcopy(entry["calls"])
    for call in calls:
        arguments = call.get("arguments")
        if isinstance(arguments, dict):
            noise = {
                "request_id": str(data.draw(st.uuids(), label="id")),
                "timestamp": data.draw(st.datetimes()).isoformat(),
            }
            items = data.draw(st.permutations([*arguments.items(), *noise.items()]))
            call["arguments"] = dict(items)
    found = stopped_at(calls)
    assert found is not None
    assert found <= latest(entry)


@pytest.mark.parametrize("entry", CYCLES, ids=lambda entry: entry["name"])
@quick
@given(data=st.data())
def test_an_odd_call_in_each_round_hides_no_loop(entry, data):
    """A call that is made once only, thrown into each round of a cycle, hides no loop."""
    calls = []
    for number, call in enumerate(entry["calls"]):
        place = (number - entry["starts_at"]) % entry["cycle"]
        if number >= entry["starts_at"] and place == 0:
            odd_at = data.draw(st.integers(0, entry["cycle"] - 1), label="odd call before")
        if number >= entry["starts_at"] and place == odd_at:
            odd = {"path": f"odd/{number}"}
            calls.append({**call, "name": "glance", "arguments": odd, "output": f"is {number}"})
        calls.append({**call, "original": number})
    found = stopped_at(calls)
    assert found is not None
    assert max(call.get("original", 0) for call in calls[: found + 1]) <= latest(entry)


@looks_like_one
@quick
@given(seed=st.integers(0, 2**32))
def test_noise_makes_no_loop(entry, seed):
    """Nor does noise make a loop of what is none."""
    calls = copy.deepcopy(entry["calls"])
    for number, call in enumerate(calls):
        if isinstance(call.get("arguments"), dict):
            call["arguments"]["request_id"] = str(uuid.UUID(int=seed * 1000 + number))
    assert stopped_at(calls) is None


@a_loop
def test_an_agent_elsewhere_hides_no_loop(entry):
    """Another agent that works on something else between the calls hides no loop."""
    calls = []
    for number, call in enumerate(entry["calls"]):
        other = {"kind": "tool", "name": "read", "arguments": {"page": number}, "output": number}
        calls += [call, {**other, "agent": "somebody else"}]
    found = stopped_at(calls)
    assert found is not None
    assert found // 2 <= latest(entry)


def test_parallel_calls_are_no_loop():
    """The same request, made several times at once, asks for several answers."""
    run = RunState("r", "1", [LoopGuard()])
    calls = [
        Call("llm", "gpt-5", run, content=[{"role": "user", "content": "a"}]) for _ in range(6)
    ]
    for call in calls:
        admit(call)
    for number, call in enumerate(calls):
        call.output = {"text": f"answer {number}", "tool_calls": []}
        settle(call)
    assert run.stopped is None


def test_lanes_that_do_the_same_are_a_loop():
    """Though one call is always under way: those that are over count, and were told the same."""
    run = RunState("r", "1", [LoopGuard()])
    calls = [Call("tool", "search", run, arguments={"query": "otters"}) for _ in range(4)]
    for before, call in zip([None, *calls], calls[:3], strict=False):
        admit(call)
        if before is not None:
            before.output = "nothing"
            settle(before)
    with pytest.raises(LoopDetected):
        admit(calls[3])


def test_the_reason_says_what_goes_round():
    """The message names the calls and how often they came."""
    run = RunState("r", "1", [LoopGuard()])
    for _ in range(2):
        call = Call("tool", "search", run, arguments={"query": "otters"})
        admit(call)
        call.output = "nothing"
        settle(call)
    with pytest.raises(LoopDetected, match=r"search\(query='otters'\) comes 3 times in a row"):
        admit(Call("tool", "search", run, arguments={"query": "otters"}))
    assert (run.stopped.limit, run.stopped.used, run.stopped.unit) == (3, 3, "repeats")


def test_the_reason_counts_the_round_that_begins():
    """A cycle of two is stopped where its third round would begin, and says so."""
    run = RunState("r", "1", [LoopGuard()])
    for name in ("look", "turn") * 2:
        call = Call("tool", name, run, arguments={})
        admit(call)
        call.output = "a wall"
        settle(call)
    with pytest.raises(LoopDetected, match="look -> turn begins its round 3"):
        admit(Call("tool", "look", run, arguments={}))
    assert (run.stopped.limit, run.stopped.used) == (3, 3)


def test_a_request_that_would_say_the_same_again_is_not_sent():
    """A model that asked three times for the same, and was told the same, is not told it again."""
    run = RunState("r", "1", [LoopGuard()])
    sent = [{"role": "user", "content": "Find otters."}]
    asked = [{"name": "search", "arguments": '{"query": "otters"}'}]
    for number in range(3):
        call = Call("llm", "gpt-5", run, content=list(sent))
        admit(call)
        call.output = {"text": "", "tool_calls": asked}
        settle(call)
        answer = {"role": "tool", "tool_call_id": f"call_{number}", "content": "nothing"}
        sent += [{"role": "assistant", "tool_calls": asked}, answer]
    with pytest.raises(LoopDetected, match="asks for search 3 times in a row"):
        admit(Call("llm", "gpt-5", run, content=list(sent)))


@pytest.mark.parametrize("kind", ["arguments", "output"])
def test_large_values_are_told_apart_and_known_again(kind):
    """Beyond what is looked into as well, for batches that differ at their end are not the same."""

    def calls(last):
        rows = [[{"id": row} for row in range(3_000)] + [{"id": last(n)}] for n in range(6)]
        known = {"arguments": {"table": "otters"}, "output": "ok"}
        return [{"kind": "tool", "name": "write", **known, kind: {"rows": part}} for part in rows]

    assert stopped_at(calls(lambda number: number)) is None
    assert stopped_at(calls(lambda _: 0)) == 2


WORDS = ["otter", "é", "a-b-c-d-e", "deadbeefcafe", "req_abcdef1", "/tmp/x", "7", "s", "-"]  # noqa: S108 - what noise looks like


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_white_space_makes_no_text_another(words):
    """However it is written, a text has one pair of forms."""
    plain, odd = " ".join(words), "\n" + " \t".join(words) + "  "
    said, said_oddly = ({"role": "user", "content": text} for text in (plain, odd))
    assert message_forms(said) == message_forms(said_oddly)


def test_values_that_contain_themselves_do_no_harm():
    """What is as deep as one likes is looked into as far as is needed."""
    value: list[object] = []
    value += [value, {"again": value}]
    same = [{"kind": "tool", "name": "t", "arguments": {"a": value}, "output": value}] * 5
    assert stopped_at(same) == 2


def test_an_answer_counts_as_it_was_when_it_came():
    """Whoever adds to what a tool gave back hides no loop, and makes none."""
    run, answer = RunState("r", "1", [LoopGuard()]), {"rooms": ["a hall"]}
    for number in range(2):
        call = Call("tool", "look", run, arguments={})
        admit(call)
        call.output = copy.deepcopy(answer)
        settle(call)
        call.output["rooms"].append(number)
    with pytest.raises(LoopDetected):
        admit(Call("tool", "look", run, arguments={}))


@pytest.mark.parametrize(
    "found",
    [
        lambda n: {"results": [], "message": "No results"},
        lambda n: f"No results (request 6f9619ff-8b86-d011-b42d-00c04fc964{n:02})",
        lambda n: [],
    ],
)
def test_a_question_in_other_words_that_finds_nothing(found):
    """The eighth in a row is one too many; one that found something in between starts anew."""
    calls = [
        {
            "kind": "tool",
            "name": "search",
            "arguments": {"query": f"where do otters live, attempt number {n * 7}"},
            "output": found(n),
        }
        for n in range(12)
    ]
    assert stopped_at(calls) == 7
    calls[3] = {**calls[3], "output": "Otters live in rivers."}
    assert stopped_at(calls) == 11


@pytest.mark.parametrize("repeats", [2, 3, 4, 6])
def test_max_repeats(repeats):
    """The call that comes that often in a row is refused, as it always was."""
    same = [{"kind": "tool", "name": "t", "arguments": {"a": 1}, "output": "x"}] * 9
    assert stopped_at(same, LoopGuard(max_repeats=repeats)) == repeats - 1


def test_window():
    """Repetitions are looked for in the last calls only."""
    cycle = [{"kind": "tool", "name": f"t{i}", "arguments": {}, "output": "x"} for i in range(5)]
    assert stopped_at(cycle * 4, LoopGuard(window=6)) is None
    assert stopped_at(cycle * 4, LoopGuard(window=20)) == 10


@pytest.mark.parametrize("options", [{"max_repeats": 1}, {"max_repeats": "x"}, {"window": 2}])
def test_bad_arguments(options):
    """What cannot be used is said when the guard is made."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        LoopGuard(**options)
