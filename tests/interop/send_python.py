"""Sends spans with a real OTLP exporter of OpenTelemetry Python, and dumps what it sent.

The dump is an ExportTraceServiceRequest made by the SDK's own protobuf encoder, also when the
exporter speaks JSON: what arrives must be the same.
"""

import argparse
import importlib
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from span_factory import make_provider, make_spans

EXPORTERS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "http/json": "opentelemetry.exporter.otlp.json.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}


def main() -> None:
    """Reads the command line, sends, and dumps."""
    options = _options()
    module = importlib.import_module(EXPORTERS[options.protocol])
    headers = {"authorization": f"Bearer {options.api_key}"}
    secure = {"insecure": True} if options.protocol == "grpc" else {}
    exporter = module.OTLPSpanExporter(endpoint=options.endpoint, headers=headers, **secure)
    sent = InMemorySpanExporter()
    batches = BatchSpanProcessor(exporter, max_queue_size=8_192, max_export_batch_size=256)
    provider = make_provider(options.service, [SimpleSpanProcessor(sent), batches])
    make_spans(provider, options.count, options.seed)
    # Shutdown drains the queue; a span that could not be sent will be missed by the reader.
    provider.shutdown()
    options.dump.write_bytes(encode_spans(sent.get_finished_spans()).SerializeToString())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=sorted(EXPORTERS), required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--dump", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
