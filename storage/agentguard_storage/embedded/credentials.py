"""The two users of the embedded ClickHouse and their generated passwords."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

__all__ = ["Credentials", "CredentialsError", "User"]

User = Literal["writer", "reader"]
FILE_NAME = "credentials.json"


class CredentialsError(Exception):
    """The credentials file is missing or not what it should be; the message says what to do."""


@dataclass(frozen=True, repr=False)
class Credentials:
    """Passwords of `writer` (may do everything) and `reader` (may only read, within limits)."""

    writer: str
    reader: str

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Read the file at `path`; raise `CredentialsError` when it cannot be used."""
        try:
            content = json.loads(path.read_text())
            found = cls(writer=content["writer"], reader=content["reader"])
        except FileNotFoundError:
            raise CredentialsError(
                f"{path} does not exist: has the engine ever been started on this directory?"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CredentialsError(
                f"{path} cannot be read ({error!r}): delete it and restart the engine, "
                "which will generate new passwords"
            ) from error
        if not all(isinstance(word, str) and word for word in (found.writer, found.reader)):
            raise CredentialsError(f"{path} has an empty password: delete it and restart")
        return found

    @classmethod
    def load_or_create(cls, data_dir: Path) -> Credentials:
        """Read `<data_dir>/credentials.json`, or generate it with mode 0600."""
        path = data_dir / FILE_NAME
        if path.exists():
            return cls.load(path)
        created = cls(writer=secrets.token_urlsafe(24), reader=secrets.token_urlsafe(24))
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(created), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return created

    def dsn(self, user: User, host: str, port: int, database: str = "agentguard") -> str:
        """A URL that `clickhouse_connect.get_client(dsn=...)` takes."""
        password = quote(getattr(self, user), safe="")
        return f"clickhouse://{user}:{password}@{host}:{port}/{database}"

    def matching(self, name: str, password: str) -> User | None:
        """Return the user that `name` and `password` belong to, in constant time."""
        users: tuple[User, ...] = ("writer", "reader")
        found: User | None = None
        for user in users:
            same_name = hmac.compare_digest(name.encode(), user.encode())
            expected = getattr(self, user).encode()
            if hmac.compare_digest(password.encode(), expected) and same_name:
                found = user
        return found
