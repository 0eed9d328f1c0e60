"""The reader: one project, bounds, and errors in words for whoever asked."""

# ruff: noqa: S608  statements are put together of our own text

from __future__ import annotations

import logging

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from agentguard_storage.clickhouse import connect
from agentguard_storage.queries.errors import QueryError, QueryTooLarge, StoreUnavailable
from agentguard_storage.queries.reader import Bounds, Reader
from tests.conftest import launch
from tests.storage.telemetry.telemetry_store import make_span, request_of

ROWS = "SELECT name FROM spans WHERE project_id = {project:String}"
ONE = "SELECT 1 AS one FROM spans WHERE project_id = {project:String}"
MINE = f"({ONE}) AS s"


def test_a_statement_names_its_project(store, project):
    """One that does not compare anything with the project never reaches the engine."""
    with pytest.raises(ValueError, match="project"):
        store.reader(project).rows("SELECT name FROM spans")


def test_a_parameter_cannot_be_another_project(store, project):
    """Whatever is handed in, the project is the reader's own."""
    other = f"{project}_other"
    store.insert([request_of(make_span(name="mine"))], project=project)
    store.insert([request_of(make_span(name="theirs"))], project=other)
    assert store.reader(project).rows(ROWS, {"project": other}) == [{"name": "mine"}]


def test_text_is_a_parameter_and_no_statement(store, project):
    """A project's name that would end the statement is a name that nobody has."""
    store.insert([request_of(make_span(name="mine"))], project=project)
    for wild in ("' OR 1 = 1 --", "\\", "'; DROP TABLE spans; --", "{project:String}", "\0", ""):
        assert store.reader(wild).rows(ROWS) == []
    assert store.reader(project).rows(ROWS) == [{"name": "mine"}]


@pytest.mark.parametrize(
    ("bounds", "statement"),
    [
        (Bounds(seconds=1), "SELECT sum(sleepEachRow(0.1)) FROM numbers(100) AS n, " + MINE),
        (Bounds(result_rows=10), "SELECT number FROM numbers(1000) AS n, " + MINE),
        (
            Bounds(memory_bytes=4 << 20),
            "SELECT length(groupArray(toString(number))) FROM numbers(5000000) AS n, " + MINE,
        ),
    ],
    ids=["time", "rows", "memory"],
)
def test_what_takes_too_much_is_told(store, project, bounds, statement):
    """A bound that is reached ends the question, in words that say what to do, not the engine's."""
    store.insert([request_of(make_span())], project=project)
    with pytest.raises(QueryTooLarge) as told:
        Reader(store.client, project, bounds).rows(statement)
    assert "ask for a shorter time" in str(told.value)
    assert "DB::Exception" not in str(told.value)
    assert store.reader(project).rows(ONE) == [{"one": 1}]


def test_what_fails_in_the_engine_is_not_repeated(store, project, caplog):
    """The asker is told that it failed, and operators, in the log, what the engine said."""
    with caplog.at_level(logging.WARNING), pytest.raises(StoreUnavailable) as told:
        store.reader(project).rows("SELECT no_such_column FROM " + MINE)
    assert str(told.value) == "the store cannot answer this at the moment"
    assert isinstance(told.value.__cause__, ClickHouseError)
    assert "no_such_column" in caplog.text


def test_a_store_that_is_away_is_told(tmp_path, project):
    """Where nothing answers any more, a question ends with StoreUnavailable."""
    own = launch(tmp_path)
    client = connect(own.reader_dsn)
    own.process.stop()
    with pytest.raises(QueryError) as told:
        Reader(client, project).rows(ROWS)
    assert isinstance(told.value, StoreUnavailable)
    assert "127.0.0.1" not in str(told.value)
