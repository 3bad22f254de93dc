// A collector of OpenTelemetry spans in a test: takes OTLP over HTTP as JSON and keeps what it gets.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** Empty for the root of a trace. */
  parentSpanId: string;
  name: string;
  /** 1 works, 2 serves, 3 sends. */
  kind: number;
  startMs: number;
  endMs: number;
  isFailed: boolean;
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
}

type Value = { stringValue?: string; intValue?: number | string; boolValue?: boolean; doubleValue?: number };
interface Told {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Value }[];
  status?: { code?: number };
}
interface Export {
  resourceSpans: { resource: { attributes: Told['attributes'] }; scopeSpans: { spans: Told[] }[] }[];
}

export async function startCollector(): Promise<{ url: string; spans: CollectedSpan[]; paths: Set<string> }> {
  const spans: CollectedSpan[] = [];
  const paths = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      paths.add(`${request.method} ${request.url} ${request.headers['content-type']}`);
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as Export;
      for (const { resource, scopeSpans } of resourceSpans)
        for (const each of scopeSpans.flatMap((scope) => scope.spans))
          spans.push(readSpan(each, plain(resource.attributes)));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, paths };
}

function readSpan(told: Told, resource: Record<string, unknown>): CollectedSpan {
  const { traceId, spanId, parentSpanId = '', name, kind, attributes, status } = told;
  const millis = (nanos: string) => Number(BigInt(nanos) / 1_000n) / 1_000;
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind,
    startMs: millis(told.startTimeUnixNano),
    endMs: millis(told.endTimeUnixNano),
    isFailed: status?.code === 2,
    attributes: plain(attributes),
    resource,
  };
}

function plain(attributes: Told['attributes']): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}
