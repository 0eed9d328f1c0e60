"""Statements that come as a form, as clients send them once parameters outgrow the URL."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesFeedParser
from email.policy import HTTP

from agentguard_storage.embedded.errors import EngineError

__all__ = ["FORM", "form_fields"]

FORM = "multipart/form-data"


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a `multipart/form-data` body by name (RFC 7578).

    Raises EngineError for a body that is no such form, and for a file among the fields: external
    tables (https://clickhouse.com/docs/engines/table-engines/special/external-data) are not taken.
    """
    parser = BytesFeedParser(EmailMessage, policy=HTTP)
    parser.feed(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1"))
    parser.feed(body)
    message = parser.close()
    if not message.is_multipart() or message.defects:
        raise EngineError.bad_request("The body is not the form that its Content-Type says it is")
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str) or part.get_filename() is not None:
            raise EngineError(48, "NOT_IMPLEMENTED", "External tables are not available here")
        fields[name] = bytes(part.get_payload(decode=True)).decode()
    return fields
