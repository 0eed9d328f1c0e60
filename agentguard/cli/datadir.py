"""The data directory: where it is, who holds it, and what runs from it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agentguard.cli.errors import CONFLICT, CliError, server_extra

__all__ = ["DATA_DIR_VAR", "Endpoints", "data_dir", "hold", "read_endpoints"]

DATA_DIR_VAR = "AGENTGUARD_DATA_DIR"


@dataclass(frozen=True)
class Endpoints:
    """What `agentguard up` serves; `endpoints.json` and `--print-json` in one shape.

    `otlp_http`, `otlp_grpc` and `api` are base URLs, `clickhouse` is a DSN with a reader's
    credentials and the database, `api_key` has the scopes ingest and read. `control` is the
    control plane's SQLAlchemy URL, and in the file alone.
    """

    otlp_http: str
    otlp_grpc: str
    api: str
    clickhouse: str
    api_key: str
    data_dir: str
    control: str = ""
    pids: dict[str, int] = field(default_factory=dict)

    def write(self) -> None:
        """Put `endpoints.json` in place in one step, readable by its owner alone."""
        path = Path(self.data_dir) / "endpoints.json"
        draft = path.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
        draft.replace(path)


def data_dir(option: Path | None) -> Path:
    """The directory from the option, else AGENTGUARD_DATA_DIR, else the user's own."""
    if option is not None:
        return option.expanduser().resolve()
    if named := os.environ.get(DATA_DIR_VAR):
        return Path(named).expanduser().resolve()
    with server_extra():
        import platformdirs
    return Path(platformdirs.user_data_dir("agentguard"))


def read_endpoints(directory: Path) -> Endpoints | None:
    """What the last `up` of this directory wrote; None if there is nothing usable."""
    try:
        return Endpoints(**json.loads((directory / "endpoints.json").read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Make the directory ours; raises CliError when another `up` holds it or it is not writable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (directory / "lock").open("a+")
    except OSError as error:
        raise CliError(
            f"cannot use the data directory {directory}: {error.strerror}",
            hint="choose another one with --data-dir",
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CliError(
                f"the data directory {directory} is in use by `agentguard up`"
                f" (pid {lock.read().strip() or 'unknown'})",
                hint="stop that one, or choose another directory with --data-dir",
                exit_code=CONFLICT,
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
