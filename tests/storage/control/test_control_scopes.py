"""What scopes are good for, alone and together."""

from __future__ import annotations

import pytest

from agentguard_storage.control import MAY, Scope
from agentguard_storage.control.errors import MissingScope


def test_every_scope_is_explained():
    """The table says of each scope what it is good for."""
    assert list(MAY) == list(Scope)
    assert all(MAY.values())


def test_a_read_key_may_not_write(control_verifier, control_keys, control_project):
    """Who may read has none of the scopes that change something."""
    _, key = control_keys.mint(control_project.id, ["read"])
    for scope in (Scope.BUDGETS, Scope.STOPS, Scope.SHARES, Scope.ANNOTATIONS, Scope.ADMIN):
        with pytest.raises(MissingScope, match=f"no scope '{scope}'; it has: read"):
            control_verifier.verify(key, scope)


def test_one_of_several_scopes_is_enough(control_verifier, control_keys, control_project):
    """Where either of two scopes will do, a key with one of them is let in, and others are not."""
    _, agent = control_keys.mint(control_project.id, ["budgets"])
    _, reader = control_keys.mint(control_project.id, ["read"])
    assert control_verifier.verify(agent, "ingest", "budgets").allows("budgets")
    with pytest.raises(MissingScope, match="no scope 'ingest' or 'budgets'; it has: read"):
        control_verifier.verify(reader, "ingest", "budgets")


def test_a_key_may_have_every_scope(control_verifier, control_keys, control_project):
    """All scopes at once are kept as they were given."""
    _, key = control_keys.mint(control_project.id, list(Scope))
    assert control_verifier.verify(key, "read").scopes == frozenset(Scope)


def test_the_caller_is_known_by_the_name_of_its_key(
    control_verifier, control_keys, control_project
):
    """What a key's holder writes can be signed with the key's name."""
    _, key = control_keys.mint(control_project.id, ["annotations"], "night watch")
    assert control_verifier.verify(key, "annotations").key_name == "night watch"
