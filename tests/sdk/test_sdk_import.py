"""The package as it is imported."""

import agentguard


def test_import_is_light(program):
    """Importing the package loads neither OpenTelemetry nor an HTTP client."""
    done = program(
        "import sys, agentguard\n"
        "heavy = {'opentelemetry', 'requests', 'httpx2', 'rich', 'typer', 'asyncio', 'tomllib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout == "[]\n", done.stderr


def test_names():
    """Every public name is listed once, in order, and can be had."""
    assert list(agentguard.__all__) == sorted(set(agentguard.__all__))
    for name in agentguard.__all__:
        assert getattr(agentguard, name) is not None
        assert name in dir(agentguard)
    assert agentguard.__version__[0].isdigit()


def test_unknown_name():
    """A name that is not there fails as in any module."""
    assert not hasattr(agentguard, "nothing_of_the_kind")
