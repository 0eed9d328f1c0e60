"""The secret that key hashes are keyed with."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentguard_storage.control import load_pepper, open_control_plane
from agentguard_storage.control.errors import SecretKeyError, WrongSecretKey


@pytest.fixture(autouse=True)
def _no_secret_in_the_environment(monkeypatch):
    monkeypatch.delenv("AGENTGUARD_SECRET_KEY", raising=False)


def test_the_secret_file_is_made_once_and_private(tmp_path):
    """The first load makes secret.key, readable by its owner alone; later loads read it."""
    first = load_pepper(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert load_pepper(tmp_path).hash("x") == first.hash("x")


def test_the_file_is_private_under_any_umask(tmp_path):
    """A permissive umask does not make the secret readable by others."""
    before = os.umask(0)
    try:
        load_pepper(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_many_loaders_at_once_agree(tmp_path):
    """Threads that load the secret of an empty directory at once all get the same one."""
    with ThreadPoolExecutor(16) as pool:
        hashes = set(pool.map(lambda _: load_pepper(tmp_path).hash("x"), range(64)))
    assert len(hashes) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_directories_have_different_secrets(tmp_path):
    """Two data directories do not share a secret."""
    (tmp_path / "other").mkdir()
    assert load_pepper(tmp_path).fingerprint() != load_pepper(tmp_path / "other").fingerprint()


def test_the_environment_comes_first(tmp_path, monkeypatch):
    """A secret in AGENTGUARD_SECRET_KEY is used, and no file is written."""
    monkeypatch.setenv("AGENTGUARD_SECRET_KEY", "s" * 40)
    one = load_pepper(tmp_path)
    monkeypatch.setenv("AGENTGUARD_SECRET_KEY", "t" * 40)
    assert one.hash("x") != load_pepper(tmp_path).hash("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("secret", ["", "short", "naïve" * 10])
def test_a_weak_secret_is_refused_without_repeating_it(tmp_path, monkeypatch, secret):
    """A secret that is too short or not ASCII is refused, and not shown."""
    monkeypatch.setenv("AGENTGUARD_SECRET_KEY", secret)
    with pytest.raises(SecretKeyError, match="AGENTGUARD_SECRET_KEY") as refused:
        load_pepper(tmp_path)
    assert not secret or secret not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"half"])
def test_a_damaged_file_is_told_and_left_alone(tmp_path, content):
    """A secret.key that holds no usable secret is an error with its path, never replaced."""
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(SecretKeyError, match=r"secret\.key.*restore"):
        load_pepper(tmp_path)
    assert (tmp_path / "secret.key").read_bytes() == content


def test_an_unreadable_file_is_told(tmp_path):
    """A secret.key that cannot be read is an error that says what to check."""
    (tmp_path / "secret.key").mkdir()
    with pytest.raises(SecretKeyError, match=r"secret\.key.*owner and mode"):
        load_pepper(tmp_path)


def test_an_exposed_file_is_warned_about(tmp_path, caplog):
    """A secret.key that others can read is used, with a warning that does not show it."""
    load_pepper(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    load_pepper(tmp_path)
    assert "chmod 600" in caplog.text
    assert (tmp_path / "secret.key").read_text().strip() not in caplog.text


def test_another_secret_is_noticed_on_opening(tmp_path, control_url):
    """A control plane opened with a secret other than its own is refused at once."""
    plane = open_control_plane(tmp_path / "a", control_url)
    _, plaintext = plane.keys.mint(plane.projects.ensure_default().id, ["read"])
    plane.close()
    with pytest.raises(WrongSecretKey, match=r"restore the secret\.key"):
        open_control_plane(tmp_path / "b", control_url)
    again = open_control_plane(tmp_path / "a", control_url)
    assert again.verifier.verify(plaintext, "read").project_name == "default"
    again.close()


def test_many_openers_at_once_agree(tmp_path, control_url):
    """Threads that open an empty control plane at once all succeed."""
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda _: open_control_plane(tmp_path, control_url), range(8)))
    _, plaintext = planes[0].keys.mint(planes[1].projects.ensure_default().id, ["read"])
    assert all(plane.verifier.verify(plaintext, "read") for plane in planes)
    for plane in planes:
        plane.close()


def test_a_data_directory_is_made_private(tmp_path):
    """Opening a control plane in a new place makes the directory for its owner alone."""
    plane = open_control_plane(tmp_path / "new" / "data")
    plane.close()
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "data" / "control.db").stat().st_mode & 0o777 == 0o600
