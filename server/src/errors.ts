// The one error class and the one table code → status (style rule 19). A line belongs here if it names a way in
// which an operation can be refused. Codes are API: the docs page is made from this table.

export const errorCodes = {
  // 400: the request cannot be read
  malformed_json: { status: 400, title: 'The body is not well-formed JSON' },
  malformed_request: { status: 400, title: 'The request is not well-formed HTTP' },
  invalid_cursor: { status: 400, title: 'The cursor is not one of ours' },
  invalid_header: { status: 400, title: 'A header has a form that is not allowed' },
  unsupported_version: { status: 400, title: 'This API version does not exist' },
  key_in_url: { status: 400, title: 'API keys never travel in URLs' },
  // 401, 403, 404, 405, 406, 408
  unauthorized: { status: 401, title: 'A valid API key is needed' },
  key_expired: { status: 401, title: 'The API key has expired' },
  address_not_allowed: { status: 403, title: 'The API key does not open from this address' },
  forbidden: { status: 403, title: 'The API key may not do this' },
  not_found: { status: 404, title: 'Nothing is found here' },
  method_not_allowed: { status: 405, title: 'This path does not know the method' },
  not_acceptable: { status: 406, title: 'None of the forms in the Accept header is offered' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  // 409: the state of things forbids it
  duplicate_reference: { status: 409, title: 'Another job of the channel has this reference' },
  customer_erased: { status: 409, title: 'The customer was erased' },
  duplicate_external_id: { status: 409, title: 'Another object has this external id' },
  client_event_mismatch: { status: 409, title: 'This client_event_id was used with another body' },
  illegal_transition: { status: 409, title: 'The state machine does not allow this transition' },
  dependency_open: { status: 409, title: 'A task that must end first is still open' },
  edit_not_allowed: { status: 409, title: 'The state of the job does not allow this edit' },
  ownership_conflict: { status: 409, title: 'Another system owns these fields' },
  cancel_not_allowed: { status: 409, title: 'Goods are on board: the job can only be returned' },
  delete_not_allowed: { status: 409, title: 'Only jobs that are not yet assigned can be deleted' },
  undo_not_allowed: { status: 409, title: 'This completion can no longer be undone' },
  exception_closed: { status: 409, title: 'The exception has ended already' },
  proposal_closed: { status: 409, title: 'The proposal was decided already' },
  resource_in_use: { status: 409, title: 'Other objects still use this one' },
  consumer_exists: { status: 409, title: 'Another consumer has this name' },
  consumer_leased: { status: 409, title: 'Another reader has the consumer now' },
  stale_lease: { status: 409, title: 'The lease belongs to another reader by now' },
  ack_goes_back: { status: 409, title: 'More than this is acknowledged already' },
  dead_letter_settled: { status: 409, title: 'The dead letter is no longer dead' },
  key_ended: { status: 409, title: 'The API key was revoked or has expired' },
  limit_reached: { status: 409, title: 'A named limit is reached' },
  // 410, 412, 413, 415, 422
  log_restored: { status: 410, title: 'The log was restored, and this place is lost' },
  cursor_expired: { status: 410, title: 'The log no longer reaches back to this cursor' },
  stale_version: { status: 412, title: 'The object has changed since it was read' },
  body_too_large: { status: 413, title: 'The body is larger than allowed' },
  unsupported_media_type: { status: 415, title: 'The content type must be application/json' },
  invalid_request: { status: 422, title: 'The request breaks its schema' },
  unknown_reference: { status: 422, title: 'The request names something that does not exist' },
  idempotency_mismatch: { status: 422, title: 'This idempotency key was used with another request' },
  job_too_large: { status: 422, title: 'The job is larger than an event may be' },
  missing_proof: { status: 422, title: 'Required proof is missing' },
  pin_rejected: { status: 422, title: 'The PIN is wrong' },
  url_not_allowed: { status: 422, title: 'The address of the endpoint is not allowed' },
  // 429, 431, 500, 503
  rate_limited: { status: 429, title: 'The API key, or this address, asks too often' },
  too_many_streams: { status: 429, title: 'The API key has too many streams open' },
  headers_too_large: { status: 431, title: 'The headers are larger than allowed' },
  internal: { status: 500, title: 'Internal error' },
  busy: { status: 503, title: 'The server is too busy to answer now' },
  not_ready: { status: 503, title: 'The server is not ready' },
  outcome_unknown: { status: 503, title: 'It is not known whether the change was made' },
  storage_full: { status: 503, title: 'The disk is full: writing has stopped' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCodes;

/** One fault of a request. `pointer` is a JSON pointer (RFC 6901) into the body, or names `query`, `header` or `path`. */
export interface Fault {
  pointer: string;
  code: string;
  message: string;
}

/** An API key of a world. */
export interface KeyRef {
  world_id: number;
  key_id: string;
}

/** Every way to refuse. `extra` becomes top-level members of the problem document (RFC 9457, section 3.2). */
export class WaypostError extends Error {
  readonly code: ErrorCode;
  readonly faults: readonly Fault[];
  readonly extra: Readonly<Record<string, unknown>>;
  readonly retryAfterS: number | null;
  /** Whose key does not open: for the audit, never told to the caller. */
  readonly whose: KeyRef | null;

  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      faults?: readonly Fault[];
      extra?: Record<string, unknown>;
      retryAfterS?: number;
      cause?: unknown;
      whose?: KeyRef;
    } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'WaypostError';
    this.code = code;
    this.faults = options.faults ?? [];
    this.extra = options.extra ?? {};
    this.retryAfterS = options.retryAfterS ?? null;
    this.whose = options.whose ?? null;
  }

  get status(): number {
    return errorCodes[this.code].status;
  }
}
