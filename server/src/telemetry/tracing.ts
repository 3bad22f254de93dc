// Sends spans to a collector (OTLP over HTTP). Loaded only where WAYPOST_OTLP_URL is set: until then the API does nothing.

import { hostname } from 'node:os';
import { DiagLogLevel, diag, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';

const TRACES_PATH = '/v1/traces';

export interface Tracing {
  /** Sends what waits, then ends. */
  stop(): Promise<void>;
}

/** From now on spans of this process go to the collector. One for the whole process, as the API has it. */
export function startTracing(collectorUrl: string, version: string, log: Logger): Tracing {
  const tell = (message: string) => log.warn({ reason: message }, 'tracing.failed');
  const silent = () => {};
  diag.setLogger({ error: tell, warn: tell, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const exporter = new OTLPTraceExporter({ url: `${collectorUrl}${TRACES_PATH}` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'waypost',
      'service.version': version,
      'host.name': hostname(),
      'process.pid': process.pid,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  return {
    async stop() {
      await provider.shutdown();
      trace.disable();
      diag.disable();
    },
  };
}
