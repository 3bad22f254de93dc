// Requests with many items, each of them a command that is answered for itself, as if it had come alone. A line belongs
// here if it concerns every such request: keys of items, chunks, what is not tried, and the shape of the reply.

import Type, { type TSchema } from 'typebox';
import { type ErrorCode, WaypostError } from '../errors.ts';
import type { Command, Idempotency, Outcome } from '../ledger/command.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type Call, JsonText, type Reply } from './operation.ts';
import { ProblemSchema, toWaypostError } from './problem.ts';
import { refuseBody } from './route.ts';
import type { Validate } from './validator.ts';

/** So many items reach the ledger together: others that write meanwhile wait for one such commit, not for all. */
export const ITEMS_PER_COMMIT_MAX = 100;

/** What a command is made of: the part of a call that belongs to one item. */
export type ItemCall = Pick<
  Call,
  'caller' | 'correlation_id' | 'idempotency' | 'if_match' | 'body_bytes' | 'rendering' | 'fingerprintOf' | 'body'
>;

export interface ItemAnswer {
  status: number;
  /** JSON text of what the item would have been answered alone; null when it was refused. */
  body: string | null;
  error: WaypostError | null;
  replayed: boolean;
}

/** After these nothing behind them is tried: the database is away, full or too busy, and order would be lost. */
const stopping: ReadonlySet<ErrorCode> = new Set(['busy', 'outcome_unknown', 'storage_full']);

/** An item and what it is called in its key: its place in the request, or what it is about. */
export interface NamedItem {
  part: string;
  body: unknown;
}

/** Items by their places: `K#0`, `K#1`, … */
export function nameByPlace(items: readonly unknown[]): NamedItem[] {
  return items.map((body, index) => ({ part: String(index), body }));
}

/**
 * Runs every item, in order and in chunks, each under its own part of the Idempotency-Key: a repeat of the request
 * answers what was done as before and does what was not. `prepare` makes the command of an item or throws what is wrong.
 */
export async function runItems(
  ledger: Pick<Ledger, 'commitAll'>,
  call: Call,
  target: string,
  items: readonly NamedItem[],
  prepare: (item: ItemCall) => Command,
): Promise<ItemAnswer[]> {
  const answers: ItemAnswer[] = [];
  for (let start = 0; start < items.length; start += ITEMS_PER_COMMIT_MAX) {
    const bytes = Math.ceil(call.body_bytes / items.length);
    const made = items
      .slice(start, start + ITEMS_PER_COMMIT_MAX)
      .map((item) => attempt(() => prepare(itemOf(call, target, item, bytes))));
    answers.push(...(await commitItems(ledger, call, made)));
    const stopped = answers.find(({ error }) => error !== null && stopping.has(error.code));
    if (stopped?.error == null) continue;
    if (answers.every(({ error }) => error !== null)) throw stopped.error;
    while (answers.length < items.length) answers.push(answerRefused(notTried()));
  }
  return answers;
}

function itemOf(call: Call, target: string, { part, body }: NamedItem, body_bytes: number): ItemCall {
  const { caller, correlation_id, rendering, fingerprintOf } = call;
  const idempotency = keyOfItem(call, target, part, body);
  return { caller, correlation_id, rendering, fingerprintOf, idempotency, if_match: null, body_bytes, body };
}

/** Not spread: the fingerprint of the whole is made when it is read. */
function keyOfItem(
  { idempotency, fingerprintOf }: Pick<Call, 'idempotency' | 'fingerprintOf'>,
  target: string,
  part: string,
  body: unknown,
): Idempotency | null {
  if (idempotency === null) return null;
  const { client, key, operation, api_version } = idempotency;
  const fingerprint = fingerprintOf('POST', target, body);
  return { client, key: `${key}#${part}`, operation, fingerprint, body, api_version };
}

function attempt(make: () => Command): Command | WaypostError {
  try {
    return make();
  } catch (error) {
    if (error instanceof WaypostError) return error;
    throw error;
  }
}

/** Commits those that are commands; the others keep their refusal in their place. */
async function commitItems(
  ledger: Pick<Ledger, 'commitAll'>,
  call: Call,
  made: readonly (Command | WaypostError)[],
): Promise<ItemAnswer[]> {
  const commands = made.flatMap((one) => (one instanceof WaypostError ? [] : one));
  const settled = commands.length === 0 ? [] : await ledger.commitAll(commands);
  let next = 0;
  return made.map((one) => {
    if (one instanceof WaypostError) return answerRefused(one);
    const result = settled[next++];
    if (result?.status === 'fulfilled') return answerAccepted(result.value, call);
    return answerRefused(toWaypostError(result?.reason));
  });
}

function answerAccepted(outcome: Outcome, { rendering }: Pick<Call, 'rendering'>): ItemAnswer {
  return { status: outcome.status, body: outcome.render(rendering), error: null, replayed: outcome.replayed };
}

function answerRefused(error: WaypostError): ItemAnswer {
  return { status: error.status, body: null, error, replayed: false };
}

function notTried(): WaypostError {
  return new WaypostError(
    'busy',
    'The database failed an item before this one, so this one was not tried. Send the whole request again.',
    { retryAfterS: 1 },
  );
}

/** Checks one item as the body of a request of its own would be. */
export function requireItem(validate: Validate, item: unknown): void {
  const faults = validate(item);
  if (faults !== null) throw refuseBody(faults);
}

/** The reply; `noun` names what an accepted item is answered with. */
export function replyWithItems(call: Pick<Call, 'problemOf'>, noun: string, answers: readonly ItemAnswer[]): Reply {
  const accepted = answers.filter(({ error }) => error === null);
  const texts = answers.map(({ status, body, error }, index) => {
    const problem = error === null ? null : call.problemOf(error);
    return `{"index":${index},"status":${status},"${noun}":${body},"problem":${JSON.stringify(problem)}}`;
  });
  const counts = `"accepted":${accepted.length},"refused":${answers.length - accepted.length}`;
  return {
    status: 200,
    body: new JsonText(`{${counts},"data":[${texts.join(',')}]}`),
    replayed: accepted.length > 0 && accepted.every(({ replayed }) => replayed),
  };
}

/** Schema of that reply. */
export function itemsReply(noun: string, schema: TSchema, itemsMax: number) {
  const orNull = (one: TSchema, description: string) => Type.Unsafe({ anyOf: [one, { type: 'null' }], description });
  const result = Type.Object(
    {
      index: Type.Integer({ minimum: 0, description: 'Place of the item in the request, from 0.' }),
      status: Type.Integer({ description: 'The HTTP status that the item would have been answered with alone.' }),
      [noun]: orNull(schema, 'What it would have been answered with. Null: it was refused.'),
      problem: orNull(ProblemSchema, 'Why it was refused; pointers begin at the item. Null: it was not.'),
    },
    { additionalProperties: false },
  );
  return Type.Object(
    {
      accepted: Type.Integer({ minimum: 0, description: 'How many items were accepted.' }),
      refused: Type.Integer({ minimum: 0, description: 'How many were refused; nothing of them is written.' }),
      data: Type.Array(result, { maxItems: itemsMax, description: 'One for each item, in the order of the request.' }),
    },
    { additionalProperties: false },
  );
}
