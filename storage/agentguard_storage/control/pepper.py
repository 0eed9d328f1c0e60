"""The secret that key hashes are keyed with.

A stolen database alone cannot be used to test guesses: the hashes need this secret, which is kept
outside of it, in `secret.key` (mode 0600) or in AGENTGUARD_SECRET_KEY.
"""

import hmac
import logging
import os
import secrets
from pathlib import Path

from agentguard_storage.control.errors import SecretKeyError

ENVIRONMENT_VARIABLE = "AGENTGUARD_SECRET_KEY"
FILE_NAME = "secret.key"
MINIMUM_LENGTH = 32
_OTHERS_MAY_READ = 0o077

logger = logging.getLogger(__name__)


class Pepper:
    """A secret of at least 32 characters that can hash, and never shows itself."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: str, origin: str) -> None:
        if len(secret) < MINIMUM_LENGTH or not secret.isascii() or not secret.isprintable():
            raise SecretKeyError(
                f"{origin} does not hold a usable secret: expected at least {MINIMUM_LENGTH} "
                "printable ASCII characters; restore it from a backup, or make a new one with "
                "`openssl rand -hex 32` if no API key exists yet"
            )
        # Keyed once: a copy costs half of what a new HMAC does, and one is made per request.
        self._keyed = hmac.new(secret.encode(), digestmod="sha256")

    def __repr__(self) -> str:
        return "Pepper(<hidden>)"

    def hash(self, text: str) -> bytes:
        """HMAC-SHA256 of the text, 32 bytes."""
        keyed = self._keyed.copy()
        keyed.update(text.encode())
        return keyed.digest()

    def fingerprint(self) -> str:
        """What tells this secret from another without revealing it (16 hex characters)."""
        return self.hash("agentguard secret.key fingerprint").hex()[:16]


def load_pepper(data_dir: Path) -> Pepper:
    """Take the secret from AGENTGUARD_SECRET_KEY, else from `secret.key`, made when missing.

    Safe when several processes start at once on an empty directory: all get the same secret.
    Raises SecretKeyError when the file cannot be read or made, or holds no usable secret.
    """
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given is not None:
        return Pepper(given.strip(), ENVIRONMENT_VARIABLE)
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        _warn_if_exposed(path)
        return Pepper(path.read_text(encoding="ascii").strip(), str(path))
    except UnicodeDecodeError:
        raise SecretKeyError(f"{path} is damaged; restore it from a backup") from None
    except OSError as error:
        raise SecretKeyError(
            f"cannot read or create {path}: {error.strerror}; check its owner and mode (0600), "
            f"or set {ENVIRONMENT_VARIABLE}"
        ) from error


def _create(path: Path) -> None:
    """Write a whole new file under another name, then link it: nobody ever reads half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        logger.debug("%s was created by another process", path)
    finally:
        draft.unlink()


def _warn_if_exposed(path: Path) -> None:
    if path.stat().st_mode & _OTHERS_MAY_READ:
        logger.warning("%s can be read by other users; run: chmod 600 %s", path, path)
