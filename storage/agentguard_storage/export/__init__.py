"""Spans of a project in the formats that other tools read, as streams of bytes.

    for part in export(reader, time_range, format="ndjson", filter=parse("status:error")):
        file.write(part)

Memory does not grow with the number of spans, in any format.
"""

from agentguard_storage.export.formats import FORMATS, Format, export

__all__ = ["FORMATS", "Format", "export"]
