"""What a client needs that speaks plain HTTP to this machine."""

import ssl
from typing import Final

__all__ = ["NO_TLS"]

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For `verify`: each client, and each call without one, would load the machine's certificates,
which takes longer than most tests."""
