// Problem documents (RFC 9457): what every refusal looks like on the wire. A line belongs here if it turns an error
// into one, or says what its schema is.

import type { Static } from 'typebox';
import Type from 'typebox';
import { type ErrorCode, errorCodes, WaypostError } from '../errors.ts';
import { classifyFailure } from '../ledger/failure.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export const FaultSchema = Type.Object(
  {
    pointer: Type.String({
      description:
        'JSON pointer (RFC 6901) into the body; for other parts `query/…`, `path/…` or `header/…`. Empty: the whole body.',
    }),
    code: Type.String({ description: 'Stable word for the kind of fault.' }),
    message: Type.String({ description: 'What is wrong, in plain words.' }),
  },
  { $id: 'Fault', additionalProperties: false },
);

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Address of the documentation of this code.' }),
    title: Type.String({ description: 'What the code means.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: Type.Unsafe<ErrorCode>({ type: 'string', enum: Object.keys(errorCodes), description: 'Stable word.' }),
    detail: Type.String({ description: 'What went wrong this time.' }),
    instance: Type.String({ description: 'The path that was asked for.' }),
    correlation_id: Type.String({ description: 'As in X-Correlation-Id.' }),
    errors: Type.Array(FaultSchema, { description: 'Every fault that was found, at most 100.' }),
  },
  { $id: 'Problem', description: 'A refusal (RFC 9457). Some codes add members of their own.' },
);

export type Problem = Static<typeof ProblemSchema>;

/** What every refusal tells besides the error itself. */
export interface Circumstances {
  publicUrl: string;
  /** Path without query. */
  instance: string;
  correlation_id: string;
}

/**
 * Any thrown value as our error: a database that is away or full is told as that, and what is not ours at all becomes
 * `internal` with a generic message.
 */
export function toWaypostError(thrown: unknown): WaypostError {
  if (thrown instanceof WaypostError) return thrown;
  const failure = classifyFailure(thrown);
  if (failure === 'connection' || failure === 'busy')
    return new WaypostError('busy', 'The database does not answer now. Try again.', { retryAfterS: 1, cause: thrown });
  if (failure === 'storage_full')
    return new WaypostError('storage_full', 'The disk of the database is full.', { retryAfterS: 30, cause: thrown });
  return new WaypostError('internal', 'Something went wrong on our side; the correlation id finds it in our logs.', {
    cause: thrown,
  });
}

export function makeProblem(error: WaypostError, at: Circumstances): Problem {
  const { status, title } = errorCodes[error.code];
  // Members of its own come last, where a person does not have to read past them; they never take the place of ours.
  const common = {
    type: `${at.publicUrl}/docs/errors#${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.message,
    instance: at.instance,
    correlation_id: at.correlation_id,
    errors: [...error.faults],
  };
  return { ...common, ...error.extra, ...common };
}

/** What of a thrown value belongs into logs: no parameters of statements, no bodies. */
export function errorFields(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const code = 'code' in thrown ? { code: thrown.code } : {};
  const cause = thrown.cause === undefined ? {} : { cause: errorFields(thrown.cause) };
  return { name: thrown.name, message: thrown.message, ...code, stack: thrown.stack, ...cause };
}
