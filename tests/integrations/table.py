"""The table of what was stopped, in `docs/integrations.md`: made of results, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integrations.driving import GUARDS, Outcome
from tests.integrations.stopping import check_stopped

__all__ = ["RUNAWAYS", "table"]

# What is driven, in which group's Python, and by which module.
RUNAWAYS: dict[str, tuple[str | None, str]] = {
    "OpenAI": (None, "openai_client"),
    "Anthropic": (None, "anthropic_client"),
    "Google GenAI": ("litellm", "google_genai_client"),
    "LiteLLM": ("litellm", "litellm_functions"),
    "LangChain, LangGraph": ("langchain", "langchain"),
    "CrewAI": ("crewai", "crewai_crews"),
    "AutoGen": ("autogen", "autogen"),
    "LlamaIndex": ("llamaindex", "llamaindex"),
    "OpenAI Agents SDK": ("openai-agents", "openai_agents"),
}

Outcomes = Mapping[tuple[str, str], Outcome]


def table(results: Mapping[str, Outcomes]) -> str:
    """One row a library: its forms, how many of them each guard stopped, what was sent late.

    A pair that a short run left out counts as stopped.
    """
    heads = ["library", "forms", *GUARDS, "requests after the stop"]
    rows = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for library, outcomes in results.items():
        forms = list(dict.fromkeys(form for form, _ in outcomes))
        stopped = [f"{_stopped(outcomes, forms, guard)} of {len(forms)}" for guard in GUARDS]
        late = sum(max(0, outcome.late) for outcome in outcomes.values())
        rows.append(f"| {library} | {', '.join(forms)} | {' | '.join(stopped)} | {late} |")
    return "\n".join(rows)


def _stopped(outcomes: Outcomes, forms: list[str], guard: str) -> int:
    return sum(_is_stopped(outcomes.get((form, guard))) for form in forms)


def _is_stopped(outcome: Outcome | None) -> bool:
    if outcome is None:
        return True
    try:
        check_stopped(outcome)
    except AssertionError:
        return False
    return True
