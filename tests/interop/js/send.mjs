// Sends spans with a real OTLP exporter of OpenTelemetry JS, and dumps what it sent as OTLP/JSON.
//
// usage: node send.mjs PROTOCOL ENDPOINT API_KEY SERVICE DUMP COUNT
//   PROTOCOL is http/json, http/protobuf or grpc.
// Run it with node_modules beside it (npm ci with the package-lock.json of this folder).
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const [protocol, endpoint, apiKey, service, dump, count] = process.argv.slice(2);
const UNICODE = 'naïve 漢字 🛰️ \u202e\n\t"quoted" \\ \x7f';
const INTS = [0, -1, 1, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
// NaN and infinities are left out: JSON.stringify, which the JSON exporter uses, turns them to null.
const FLOATS = [0.1, -2.5, 1.5e-7, 5e-324];
const ATTRIBUTES = {
  'string': 'plain', 'string.empty': '', 'string.unicode': UNICODE, 'string.long': 'x'.repeat(1500),
  'bool.true': true, 'bool.false': false,
  ...Object.fromEntries(INTS.map((v, i) => [`int.${i}`, v])),
  ...Object.fromEntries(FLOATS.map((v, i) => [`float.${i}`, v])),
  'array.empty': [], 'array.string': ['a', '', UNICODE], 'array.bool': [true, false],
  'array.int': INTS, 'array.float': FLOATS, 'ключ': 'a key outside ASCII',
};
const NAMES = Object.keys(ATTRIBUTES);
const KINDS = [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER];
const STATUSES = [null, { code: SpanStatusCode.OK }, { code: SpanStatusCode.ERROR, message: UNICODE }];
const START = [1_760_000_000, 123_456_789];

const hex = (seed, length) => (seed + 1).toString(16).padStart(length, '5');
const attributes = (n) => (n % 13 === 0
  ? Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`many.${i}`, i]))
  : Object.fromEntries(NAMES.filter((_, i) => (i + n) % 3 === 0).map((name) => [name, ATTRIBUTES[name]])));
const some = (n) => Object.fromEntries(NAMES.filter((_, i) => (i + n) % 6 === 0).map((name) => [name, ATTRIBUTES[name]]));
const context = (n) => ({
  traceId: hex(n, 32), spanId: hex(n, 16), traceFlags: TraceFlags.SAMPLED, isRemote: n % 2 === 0,
  traceState: createTraceState('vendor=t61rcWkgMzE,other@tenant=00f067aa'),
});
const later = (n) => [START[0] + n, START[1] + (n % 1000)];

function makeSpans(provider) {
  const tracers = [
    provider.getTracer('interop.plain'),
    provider.getTracer('interop.versioned', '0.1.0', { schemaUrl: 'https://opentelemetry.io/schemas/1.37.0' }),
  ];
  let parent = ROOT_CONTEXT;
  for (let n = 0; n < Number(count); n += 1) {
    if (n % 7 === 0) parent = n % 2 ? trace.setSpanContext(ROOT_CONTEXT, context(n)) : ROOT_CONTEXT;
    const links = Array.from({ length: n % 17 === 0 ? 10 : n % 3 }, (_, i) => (
      { context: context(n + i), attributes: some(n + i) }));
    const span = tracers[n % 2].startSpan(`span ${n} ${n % 11 ? '' : UNICODE}`, {
      kind: KINDS[n % KINDS.length], attributes: attributes(n), links, startTime: later(n),
    }, parent);
    for (let i = 0; i < (n % 19 === 0 ? 12 : n % 4); i += 1) {
      span.addEvent(['log', '', UNICODE][i % 3], some(n + i), later(n));
    }
    if (n % 5 === 0) span.recordException(new Error(UNICODE), later(n));
    if (STATUSES[n % 3]) span.setStatus(STATUSES[n % 3]);
    span.end(later(n + (n % 60)));
    if (n % 7 < 4) parent = trace.setSpan(ROOT_CONTEXT, span);
  }
}

async function makeExporter() {
  const headers = { authorization: `Bearer ${apiKey}` };
  if (protocol === 'grpc') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
    // grpc-js belongs to the exporter, so it is looked up from there.
    const near = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/otlp-grpc-exporter-base'));
    const metadata = new (near('@grpc/grpc-js').Metadata)();
    metadata.set('authorization', headers.authorization);
    return new OTLPTraceExporter({ url: `http://${endpoint}`, metadata });
  }
  const name = protocol === 'http/json' ? 'http' : 'proto';
  const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${name}`);
  return new OTLPTraceExporter({ url: endpoint, headers });
}

const sent = new InMemorySpanExporter();
const batches = new BatchSpanProcessor({ exporter: await makeExporter(), maxQueueSize: 8192, maxExportBatchSize: 256 });
const provider = new TracerProvider({
  resource: resourceFromAttributes(
    { 'service.name': service, 'process.pid': 4242, 'host.cpu.load': 0.25, 'feature.flags': ['a', 'b'], 'deployment.note': UNICODE },
    { schemaUrl: 'https://opentelemetry.io/schemas/1.36.0' },
  ),
  spanLimits: { attributeCountLimit: 128, eventCountLimit: 8, linkCountLimit: 8, attributePerEventCountLimit: 3 },
  spanProcessors: [new SimpleSpanProcessor({ exporter: sent }), batches],
});
makeSpans(provider);
await provider.forceFlush();
writeFileSync(dump, JsonTraceSerializer.serializeRequest(sent.getFinishedSpans()));
await provider.shutdown();
