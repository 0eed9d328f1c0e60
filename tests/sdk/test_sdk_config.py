"""Settings: where they come from, who wins, and what is refused."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.config import Options, Settings, load_settings
from agentguard.errors import AgentGuardError, ConfigurationError

BASE = "AGENTGUARD_ENDPOINT"
OTEL_BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
OTEL_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.fixture
def load(tmp_path: Path):
    """Settings from arguments, variables and the text of a pyproject.toml, and nothing else."""

    def run(arguments=None, environ=None, project: str = "") -> Settings:
        (tmp_path / "pyproject.toml").write_text(project)
        return load_settings(arguments, environ or {}, tmp_path)

    return run


def refused(load, *args, **kwargs) -> str:
    """The message with which the settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        load(*args, **kwargs)
    return str(caught.value)


def test_defaults(load):
    """Without any source, spans go to the local collector, without content."""
    settings = load()
    assert settings.endpoint == "http://127.0.0.1:4318/v1/traces"
    assert (settings.capture_content, settings.api_key, settings.compression) == (
        False,
        None,
        "gzip",
    )


def test_order_of_sources(load):
    """Each source gives way to the one before it: argument, AGENTGUARD_, OTEL_, file, default."""
    project = '[tool.agentguard]\nservice_name = "file"'
    environ = {"AGENTGUARD_SERVICE_NAME": "ours", "OTEL_SERVICE_NAME": "otel"}
    assert load({"service_name": "argument"}, environ, project).service_name == "argument"
    assert load({}, environ, project).service_name == "ours"
    assert load({}, {"OTEL_SERVICE_NAME": "otel"}, project).service_name == "otel"
    assert load({}, {}, project).service_name == "file"
    assert load().service_name is None


def test_none_and_empty_are_absent(load):
    """An argument of None and an empty variable leave the word to the next source."""
    environ = {"AGENTGUARD_SERVICE_NAME": "  ", "OTEL_SERVICE_NAME": "otel"}
    assert load({"service_name": None}, environ).service_name == "otel"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({BASE: "http://c:1"}, "http://c:1/v1/traces"),
        ({BASE: "http://c:1/"}, "http://c:1/v1/traces"),
        ({BASE: "https://c/otlp"}, "https://c/otlp/v1/traces"),
        ({BASE: "http://c/v1/traces"}, "http://c/v1/traces"),
        ({OTEL_BASE: "http://c:1"}, "http://c:1/v1/traces"),
        ({OTEL_TRACES: "http://c:1/any/path"}, "http://c:1/any/path"),
        ({OTEL_TRACES: "http://c:1/any", OTEL_BASE: "http://d"}, "http://c:1/any"),
    ],
)
def test_endpoints(load, environ, expected):
    """A base URL gets the traces path; the traces endpoint of OpenTelemetry is used verbatim."""
    assert load({}, environ).endpoint == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("1", True),
        ("SPAN_ONLY", True),
        ("span_and_event", True),
        ("NO_CONTENT", False),
        ("EVENT_ONLY", False),
        ("false", False),
    ],
)
def test_content_modes(load, value, expected):
    """Content capture takes a flag or OpenTelemetry's modes, of which those for spans mean yes."""
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert load({}, {name: value}).capture_content is expected


def test_resource_attributes(load):
    """Service and environment are also read from OTEL_RESOURCE_ATTRIBUTES, percent-decoded."""
    held = "a=b,service.name=my%20service,deployment.environment.name=prod"
    settings = load({}, {"OTEL_RESOURCE_ATTRIBUTES": held})
    assert (settings.service_name, settings.environment) == ("my service", "prod")


def test_units(load):
    """OTEL_BSP_SCHEDULE_DELAY is in milliseconds, the setting in seconds."""
    assert load({}, {"OTEL_BSP_SCHEDULE_DELAY": "250"}).schedule_delay == 0.25


def test_toml_types(load):
    """A file gives numbers and booleans as TOML has them."""
    settings = load(
        {}, {}, "[tool.agentguard]\nflush_timeout = 2\ncapture_content = true\nqueue_size = 9"
    )
    assert (settings.flush_timeout, settings.capture_content, settings.queue_size) == (2.0, True, 9)
    assert settings.batch_size == 9, "a batch never exceeds the queue"


def test_nearest_file(tmp_path: Path):
    """The nearest pyproject.toml counts, found upwards from the current directory."""
    (tmp_path / "pyproject.toml").write_text('[tool.agentguard]\nservice_name = "far"')
    near = tmp_path / "a" / "b"
    near.mkdir(parents=True)
    assert load_settings({}, {}, near).service_name == "far"
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\n")
    assert load_settings({}, {}, near).service_name is None


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("AGENTGUARD_FLUSH_TIMEOUT", "soon", "a number of seconds greater than 0"),
        ("AGENTGUARD_FLUSH_TIMEOUT", "nan", "a number of seconds greater than 0"),
        ("AGENTGUARD_FLUSH_TIMEOUT", "-1", "a number of seconds greater than 0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number of 1 or more"),
        ("OTEL_BSP_SCHEDULE_DELAY", "x", "a number of milliseconds greater than 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "one of gzip, deflate, none"),
        ("AGENTGUARD_ENDPOINT", "127.0.0.1:4318", "an http:// or https:// URL"),
        ("AGENTGUARD_ENDPOINT", "http://c:99999", "an http:// or https:// URL"),
        ("AGENTGUARD_ENDPOINT", "ftp://c", "an http:// or https:// URL"),
        ("AGENTGUARD_CAPTURE_CONTENT", "maybe", "NO_CONTENT, SPAN_ONLY"),
        ("OTEL_SDK_DISABLED", "maybe", "true or false"),
    ],
)
def test_bad_values(load, variable, value, allowed):
    """A value that cannot be used is refused by a message with the variable, value and choice."""
    message = refused(load, {}, {variable: value})
    assert message.startswith(f"{variable}: {value!r} is not ")
    assert allowed in message


def test_bad_argument_and_file(load):
    """The message says whether an argument or which file holds the bad value."""
    assert refused(load, {"queue_size": 1.5}).startswith("init(queue_size=...): 1.5 is not")
    message = refused(load, {}, {}, "[tool.agentguard]\nqueue_size = true")
    assert re.match(
        r"queue_size in \[tool.agentguard\] of /.*/pyproject.toml: True is not", message
    )


def test_unknown_names(load):
    """A name that is no setting is refused, with the nearest one that is."""
    assert "Did you mean endpoint?" in refused(load, {"endpont": "http://c"})
    assert "Did you mean queue_size?" in refused(load, {}, {}, "[tool.agentguard]\nqueuesize = 1")


def test_broken_file(load):
    """A pyproject.toml that is no TOML is refused by its name, not ignored."""
    assert "pyproject.toml cannot be read" in refused(load, {}, {}, "[tool")
    assert "not a table" in refused(load, {}, {}, "[tool]\nagentguard = 3")


@pytest.mark.parametrize("name", ["api_key", "headers"])
def test_secrets_stay_out_of_files(load, name):
    """A secret in pyproject.toml is refused without being shown, with the variable to use."""
    message = refused(load, {}, {}, f'[tool.agentguard]\n{name} = "hush=hush"')
    assert f"AGENTGUARD_{name.upper()}" in message
    assert "hush" not in message


def test_secrets_are_not_shown(load):
    """No secret is in the settings' repr, nor in a message about a secret that cannot be used."""
    settings = load({"api_key": "hush", "headers": {"x-key": "hush"}})
    assert "hush" not in repr(settings)
    assert "hush" not in refused(load, {"api_key": "hush hush"})
    assert "hush" not in refused(load, {}, {"AGENTGUARD_HEADERS": "hush"})
    assert "hush" not in refused(load, {"endpoint": "http://me:hush@host"})


def test_foreign_headers(load):
    """OTEL_ headers hold another vendor's key: they are used with an OTEL_ endpoint alone."""
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "x-vendor=key"}
    assert load({}, environ).headers == ()
    assert load({"endpoint": "http://c"}, environ).headers == ()
    assert load({}, {**environ, OTEL_BASE: "http://v"}).headers == (("x-vendor", "key"),)


@given(st.text())
def test_any_text(value):
    """Whatever text a variable holds, the settings are typed or refused by a project error."""
    for row in fields(Settings):
        for variable in row.metadata["variables"]:
            try:
                settings = load_settings({}, {variable.name: value}, Path("/nowhere"))
            except AgentGuardError:
                continue
            assert isinstance(getattr(settings, row.name), (str, float, int, tuple, type(None)))


def test_options_are_the_settings():
    """What `init` takes by type are exactly the settings."""
    assert set(Options.__annotations__) == {row.name for row in fields(Settings)}
