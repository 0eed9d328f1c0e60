"""Projects."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from agentguard_storage.control import ControlDatabase, Projects
from agentguard_storage.control.errors import (
    ControlPlaneUnavailable,
    DuplicateProject,
    InvalidValue,
    UnknownProject,
)


@pytest.fixture
def projects(control_db: ControlDatabase) -> Projects:
    """The projects of the database."""
    return Projects(control_db)


def test_a_project_is_stored_whole(projects):
    """What was created is found again by id and by name, with its defaults."""
    created = projects.create("nightly", retention_days=7, region="eu")
    assert re.fullmatch(r"prj_[a-z2-7]{12}", created.id)
    for found in (projects.get(created.id), projects.get("nightly")):
        assert (found.id, found.name, found.retention_days, found.region) == (
            (created.id, "nightly", 7, "eu")
        )
        assert found.created_at == created.created_at
        assert found.created_at.tzinfo is UTC
        assert timedelta(0) <= datetime.now(UTC) - found.created_at < timedelta(minutes=1)
    other = projects.create("other")
    assert (other.retention_days, other.region) == (30, "")
    assert [project.name for project in projects.list()] == ["nightly", "other"]


def test_names_are_unique(projects):
    """A second project of the same name is refused, on creation and on renaming."""
    projects.create("one")
    two = projects.create("two")
    with pytest.raises(DuplicateProject, match="'one'"):
        projects.create(" one ")
    with pytest.raises(DuplicateProject, match="'one'"):
        projects.rename(two.id, "one")
    assert sorted(project.name for project in projects.list()) == ["one", "two"]


def test_renaming_keeps_the_id(projects):
    """A renamed project is the same project under another name."""
    before = projects.create("before")
    assert projects.rename("before", "after").id == before.id
    assert projects.get("after").id == before.id
    with pytest.raises(UnknownProject, match="'before'"):
        projects.get("before")
    with pytest.raises(UnknownProject):
        projects.rename("before", "again")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "n" * 101, "\ud800"])
def test_unusable_names_are_refused(projects, name):
    """A name that could not be shown or stored is refused and nothing is written."""
    with pytest.raises(InvalidValue, match="name"):
        projects.create(name)
    assert projects.list() == []


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_unusable_retention_is_refused(projects, days):
    """Retention outside of one day to ten years is refused."""
    with pytest.raises(InvalidValue, match="retention"):
        projects.create("name", retention_days=days)


@pytest.mark.parametrize("name", ["nobody", "", "a\x00b", "x" * 10_000])
def test_looking_for_no_project_is_a_clear_error(projects, name):
    """Whatever is looked for, the answer is one of the control plane's own errors."""
    with pytest.raises((UnknownProject, InvalidValue)):
        projects.get(name)


def test_the_default_project_is_made_once(projects):
    """Many threads that ensure the default project get one and the same."""
    with ThreadPoolExecutor(8) as pool:
        ids = {project.id for project in pool.map(lambda _: projects.ensure_default(), range(16))}
    assert ids == {projects.get("default").id}
    assert len(projects.list()) == 1


def test_a_database_without_schema_is_unavailable(control_url):
    """Using a database that was never upgraded says so instead of failing in SQL."""
    database = ControlDatabase(control_url)
    with pytest.raises(ControlPlaneUnavailable, match="projects"):
        Projects(database).list()
    database.close()
