// What can go wrong between a program and the API, in words that say what to do. A line belongs here if it makes an
// error that a caller of the client may catch.

/** One fault of a request: `pointer` is a JSON pointer into the body, or names `query`, `header` or `path`. */
export interface ProblemFault {
  pointer: string;
  code: string;
  message: string;
}

/** The API answered with a problem document (RFC 9457). `code` is stable and meant for programs, the message for people. */
export class WaypostProblem extends Error {
  override readonly name = 'WaypostProblem';
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly ProblemFault[];
  readonly correlation_id: string | null;
  /** How long the server asked to wait, in seconds; null when it did not say. */
  readonly retry_after_s: number | null;
  /** The whole document, with the members that belong to this code alone (`allowed_transitions`, `diff`, …). */
  readonly document: Readonly<Record<string, unknown>>;

  constructor(reply: {
    status: number;
    document: unknown;
    correlation_id: string | null;
    retry_after_s: number | null;
  }) {
    const document = isRecord(reply.document) ? reply.document : {};
    const title = textOf(document.title) ?? `HTTP ${reply.status}`;
    const detail = textOf(document.detail) ?? title;
    const errors = Array.isArray(document.errors) ? document.errors.filter(isFault) : [];
    const correlation_id = textOf(document.correlation_id) ?? reply.correlation_id;
    const code = textOf(document.code) ?? `http_${reply.status}`;
    super(describeProblem({ status: reply.status, code, detail, errors, correlation_id }));
    this.status = reply.status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.correlation_id = correlation_id;
    this.retry_after_s = reply.retry_after_s;
    this.document = document;
  }
}

/** No answer came: the server could not be reached, or did not answer in time, in all the tries that were allowed. */
export class WaypostUnreachable extends Error {
  override readonly name = 'WaypostUnreachable';
  readonly url: string;
  readonly tries: number;

  constructor(options: { method: string; url: string; tries: number; timeoutMs: number; cause: unknown }) {
    const tries = options.tries === 1 ? '1 try' : `${options.tries} tries`;
    super(
      `${options.method} ${options.url} got no answer in ${tries}: ${reasonOf(options.cause, options.timeoutMs)}. ` +
        'Is the server running, and is the url of the client right?',
      { cause: options.cause },
    );
    this.url = options.url;
    this.tries = options.tries;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFault(value: unknown): value is ProblemFault {
  return (
    isRecord(value) &&
    typeof value.pointer === 'string' &&
    typeof value.code === 'string' &&
    typeof value.message === 'string'
  );
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function describeProblem(problem: {
  status: number;
  code: string;
  detail: string;
  errors: readonly ProblemFault[];
  correlation_id: string | null;
}): string {
  const lines = [`${problem.detail} (${problem.status} ${problem.code})`];
  for (const fault of problem.errors) lines.push(`  ${fault.pointer || '(body)'}: ${fault.message}`);
  if (problem.correlation_id !== null) lines.push(`  correlation id: ${problem.correlation_id}`);
  return lines.join('\n');
}

/** `fetch` hides the reason (ECONNREFUSED …) one or two causes deep. */
function reasonOf(cause: unknown, timeoutMs: number): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === 'TimeoutError') return `nothing came within ${timeoutMs} ms`;
  let deepest: Error = cause;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  const code = 'code' in deepest && typeof deepest.code === 'string' ? deepest.code : null;
  return deepest.message || code || cause.message;
}
