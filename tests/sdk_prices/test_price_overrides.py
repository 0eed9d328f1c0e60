"""Price overrides: what a file may say, and what is said about a file that is wrong."""

from decimal import Decimal

import pytest

from agentguard.prices import PriceTable, Usage, cost, price_version
from agentguard.prices.overrides import PriceOverrideError

NOW = 1_767_225_600 * 10**9
TOML = """
[[price]]
provider = "azure.ai.openai"
model = "gpt-4o"
input = 1.1
output = 2
cache_read = "0.000001"

[[price]]
provider = "vllm"
match = "prefix"
model = "Our-"
input = 0
output = 0.5
per_request = 0.001

[[price]]
model = "from-2030"
from = 2030-01-01
input = 9
output = 9
"""


@pytest.fixture
def table(tmp_path):
    """A table with the overrides above."""
    path = tmp_path / "prices.toml"
    path.write_text(TOML)
    return PriceTable.load(path)


def test_an_override_wins_for_its_provider_only(table):
    """Azure's gpt-4o costs what the file says, OpenAI's what it always did."""
    azure, openai = (table.lookup(name, "gpt-4o", NOW) for name in ("azure", "openai"))
    usage = Usage(input=10, cache_read=100, cache_write=1, output=3, reasoning=2)
    assert cost(usage, azure) == Decimal("0.0000221001")
    assert azure.source == "override"
    assert openai == PriceTable().lookup("openai", "gpt-4o", NOW)


def test_an_override_prices_what_nobody_knows(table):
    """A provider of one's own gets a price, by prefix and per request."""
    price = table.lookup("VLLM", "our-llama", NOW)
    assert cost(Usage(input=1000, output=1000), price) == Decimal("0.0015")
    assert table.lookup("vllm", "their-llama", NOW) is None


def test_an_override_starts_on_its_day(table):
    """Before its day an override does not count; without a provider it is for any."""
    assert table.lookup("anyone", "from-2030", NOW) is None
    assert table.lookup("anyone", "from-2030", 1_893_456_000 * 10**9) is not None


def test_overrides_change_the_version(table):
    """A cost computed with other prices bears another version."""
    assert table.version != price_version()
    assert table.version.split("+")[0] == price_version().split("+")[0]


def test_json_says_the_same(tmp_path):
    """A JSON file is read as exactly as a TOML one."""
    path = tmp_path / "prices.json"
    path.write_text('{"price": [{"model": "m", "input": 0.1, "output": 0.2}]}')
    price = PriceTable.load(path).lookup("p", "m", NOW)
    assert cost(Usage(input=3), price) == Decimal("3e-7")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[price]\n", "is not valid TOML"),
        ("", "price: Field required"),
        ("[[price]]\nmodel='m'\ninput=1\n", "entry 1, output: Field required"),
        ("[[price]]\nmodel='m'\ninput=-1\noutput=1\n", "greater than or equal to 0"),
        ("[[price]]\nmodel='m'\ninput=nan\noutput=1\n", "finite number"),
        ("[[price]]\nmodel='m'\ninput=0.1234567\noutput=1\n", "6 decimal places"),
        ("[[price]]\nmodel='m'\ninput='free'\noutput=1\n", "valid decimal"),
        ("[[price]]\nmodel='m'\ninput=1\noutput=1\noutptu=1\n", "outptu: Extra inputs"),
        ("[[price]]\nmodel='('\nmatch='regex'\ninput=1\noutput=1\n", "not a valid regex"),
        ("[[price]]\nmodel='^(?!a)'\nmatch='regex'\ninput=1\noutput=1\n", "lookarounds"),
        ("[[price]]\nmodel='m'\nmatch='like'\ninput=1\noutput=1\n", "'exact', 'prefix'"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(tmp_path, text, says):
    """The error names the file, the entry, the field and what is wrong with it."""
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PriceOverrideError) as caught:
        PriceTable.load(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    """A path that does not exist is an error of the user's, said in words."""
    with pytest.raises(PriceOverrideError, match="cannot be read: No such file"):
        PriceTable.load(tmp_path / "none.toml")
