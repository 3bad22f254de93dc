// Requests that break before an operation is reached: bodies too large or cut off, URLs and headers that cannot be read.
// A line belongs here if it turns a failure of Node or Fastify into a refusal of ours.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { type ErrorCode, WaypostError } from '../errors.ts';
import type { Desk, Exchange } from './exchange.ts';
import { makeProblem, PROBLEM_MEDIA_TYPE } from './problem.ts';
import { BODY_BYTES_MAX } from './route.ts';

/** Imported by name, the module would bring along the fetch of Node, which a server never uses. */
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export const HEADER_BYTES_MAX = 16_384;
export const PARAM_LENGTH_MAX = 256;
/** Up to so many bytes of a refused body are read and dropped, so that the client gets to read the refusal. */
const DROPPED_BYTES_MAX = 33_554_432;

const frameworkCodes: Readonly<Record<string, [code: ErrorCode, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body with Content-Type: application/json.'],
  FST_ERR_CTP_EMPTY_TYPE: ['unsupported_media_type', 'Send the body with Content-Type: application/json.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed_request', 'The body has another length than Content-Length says.'],
  FST_ERR_BAD_URL: ['malformed_request', 'The path of the URL holds a broken % escape.'],
  FST_ERR_MAX_PARAM_LENGTH: [
    'not_found',
    `Nothing is found here: no part of a path is longer than ${PARAM_LENGTH_MAX}.`,
  ],
};

/** A failure of the framework as the refusal that it means. */
export function toRefusal(error: { code?: string }, request: FastifyRequest, exchange: Exchange): unknown {
  if (error instanceof WaypostError) return error;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = exchange.route?.bodyBytesMax ?? BODY_BYTES_MAX;
    return new WaypostError('body_too_large', `The body must have at most ${limit} bytes.`, {
      extra: { bytes_max: limit },
    });
  }
  const known = frameworkCodes[error.code ?? ''];
  if (known !== undefined) return new WaypostError(known[0], known[1], { cause: error });
  if (request.raw.destroyed && !request.raw.complete) {
    return new WaypostError('malformed_request', 'The connection ended inside the body.', { cause: error });
  }
  return error;
}

/** A body that is refused is dropped as it arrives, unless it is endless. */
export function droppingHeaders(request: IncomingMessage): readonly string[] {
  return Number(request.headers['content-length'] ?? 0) > DROPPED_BYTES_MAX ? ['Connection', 'close'] : [];
}

export interface ClientError extends Error {
  code?: string;
}

/** Requests that Node could not parse have no exchange: the refusal is written to the socket. */
export function refuseBrokenRequest(desk: Desk, error: ClientError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new WaypostError('headers_too_large', `The headers must have at most ${HEADER_BYTES_MAX} bytes.`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new WaypostError('request_timeout', 'The request took too long to arrive: send it again, without pauses.')
        : new WaypostError('malformed_request', 'The request is not well-formed HTTP.');
  const correlation_id = randomUUID();
  const text = JSON.stringify(makeProblem(refusal, { publicUrl: desk.publicUrl, instance: '/', correlation_id }));
  desk.log.info({ status: refusal.status, code: refusal.code, correlation_id }, 'request.completed');
  const lines = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Correlation-Id: ${correlation_id}`,
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${lines.join('\r\n')}\r\n\r\n${text}`);
  socket.destroySoon();
}
