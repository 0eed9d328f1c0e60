"""Looking prices up: names, what is unknown, versions, and how cheap it is."""

import subprocess
import sys
import timeit
from decimal import Decimal

import pytest

from agentguard.prices import COLUMNS, PriceTable, Usage, cost, price_version, provider_rules, rules

NOW = 1_767_225_600 * 10**9
TABLE = PriceTable()


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("Azure", "azure"),
        ("aws.bedrock", "aws"),
        ("AWS", "aws"),
        ("Anthropic", "anthropic"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gemini", "google"),
        ("VertexAI", "google"),
        ("google", "google"),
        ("mistral_ai", "mistral"),
        ("MistralAI", "mistral"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("cohere", "cohere"),
        ("groq", "groq"),
        ("deepseek", "deepseek"),
        ("perplexity", "perplexity"),
        (" TogetherAI ", "together"),
    ],
)
def test_a_provider_is_known_by_all_its_names(name, provider):
    """The names of OpenTelemetry, OpenInference and Traceloop mean the same provider."""
    assert TABLE.resolve(name, "some-model") == (provider, "some-model")


@pytest.mark.parametrize(
    "provider", [None, "", "litellm", "LangChain", "openai", "azure.ai.openai"]
)
def test_gpt_4o_is_priced_however_it_is_reached(provider):
    """A missing provider, a framework's name and Azure's name all lead to the model's price."""
    price = TABLE.lookup(provider, "GPT-4o", NOW)
    assert price is not None
    assert cost(Usage(input=1_000_000), price) == Decimal("2.5")


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "no-such-model"), ("vllm", "gpt-4o"), (None, "my-finetune"), ("groq", "")],
)
def test_what_is_unknown_has_no_price(provider, model):
    """An unknown model or provider has no price at all, rather than a price of 0."""
    assert TABLE.lookup(provider, model, NOW) is None


def test_a_model_billed_in_other_units_has_no_price():
    """Whisper is billed by the hour of audio, which spans do not tell: no price, not 0."""
    assert any(rule.price.model.startswith("whisper") for rule in rules())
    assert TABLE.lookup("openai", "whisper-1", NOW) is None


def test_reasoning_costs_what_output_costs_and_is_counted_once():
    """Splitting output into output and reasoning leaves the cost unchanged."""
    price = TABLE.lookup("openai", "o3-mini", NOW)
    assert price is not None
    assert cost(Usage(output=300, reasoning=700), price) == cost(Usage(output=1000), price) > 0


def test_prices_change_by_date_and_time_of_day():
    """DeepSeek's off-peak price holds in its daily interval and not outside it."""
    midnight = 1_741_046_400 * 10**9
    day = [TABLE.lookup("deepseek", "deepseek-chat", midnight + h * 3600 * 10**9) for h in (0, 12)]
    assert all(day)
    assert day[0].input != day[1].input


def test_rows_are_what_a_table_takes():
    """Each row has the columns in order, prices for each tier, and whole pico-dollars per token."""
    for rule in rules():
        row = rule.row()
        assert tuple(row) == COLUMNS
        for column in ("input", "cache_read", "cache_write", "output", "reasoning"):
            assert len(row[column]) == 1 + len(row["tier_starts"])
            assert all(price * 10**6 % 1 == 0 for price in row[column])
        assert row["pattern"] == row["pattern"].lower() or row["match_kind"] == "regex"


def test_no_pattern_needs_more_than_re2():
    """No regex uses lookaround or back-references, which ClickHouse's engine does not have."""
    regexes = {
        text
        for rule in (*rules(), *provider_rules())
        for text in ((rule.match.pattern, rule.match.unless) if rule.match.kind == "regex" else ())
    } | {rule.match.unless for rule in rules()}
    assert len(regexes) > 50
    assert not [text for text in regexes if "(?!" in text or "(?=" in text or "(?<" in text]


def test_time_boundaries_fall_on_quarter_hours():
    """A price is constant within a quarter of an hour, so SQL may match per quarter."""
    assert all(r.from_second % 900 == 0 and r.until_second % 900 == 0 for r in rules())


def test_the_version_is_the_same_in_another_process():
    """The version names the package's version and a digest that does not vary between processes."""
    code = (
        "from agentguard.prices import price_version; import sys; sys.stdout.write(price_version())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == price_version()


def test_importing_the_prices_loads_no_data():
    """`import agentguard.prices` imports neither genai-prices nor pydantic."""
    heavy = "{'genai_prices', 'pydantic'} & {*sys.modules}"
    code = f"import agentguard.prices, sys; sys.exit(len({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_lookup_is_about_a_microsecond():
    """A remembered look-up takes microseconds (fifty times its usual cost is allowed here)."""
    TABLE.lookup("openai", "gpt-4o", NOW)
    best = min(timeit.repeat(lambda: TABLE.lookup("openai", "gpt-4o", NOW), number=1000, repeat=5))
    assert best / 1000 < 20e-6
