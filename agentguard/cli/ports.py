"""Ports: whether they are free, said before anything is started."""

import errno
import socket

from agentguard.cli.errors import CONFLICT, CliError

__all__ = ["require_free"]


def require_free(host: str, port: int, flag: str) -> None:
    """Raise CliError naming `flag` if nothing could listen on `host:port`; 0 is always free."""
    if port == 0:
        return
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise CliError(
            f"{host!r} is not an address of this machine: {error.strerror}",
            hint="choose another one with --host",
            exit_code=CONFLICT,
        ) from None
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise CliError(
            f"port {port} is taken" if taken else f"cannot use {host}:{port}: {error.strerror}",
            hint=f"choose another one with {flag}, or 0 for any free one",
            exit_code=CONFLICT,
        ) from None
