// The thread in which transforms run: it gets an expression and an event, and answers the JSON that comes of them. It has
// nothing else to do and knows nothing: no environment, no database, no network. Whoever started it ends it when it takes
// too long or too much memory.

import { parentPort, workerData } from 'node:worker_threads';
import jsonata from 'jsonata';
import { TRANSFORM_DEPTH_MAX, TRANSFORM_OUTPUT_BYTES_MAX, TRANSFORM_SEQUENCE_MAX, wordsOf } from './transform.ts';
import type { TransformAnswer, TransformInput } from './transform-pool.ts';

const COMPILED_MAX = 200;
const compiled = new Map<string, jsonata.Expression>();
const limits = {
  stack: TRANSFORM_DEPTH_MAX,
  sequence: TRANSFORM_SEQUENCE_MAX,
  timeout: workerData.timeMaxMs as number,
};

/** A time without its day is completed by today's: here that is the day of the event, in each attempt. */
let today = 0;
globalThis.Date = class extends Date {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [today] : given) as [number]));
  }
} as DateConstructor;

function compile(expression: string): jsonata.Expression {
  const known = compiled.get(expression);
  if (known !== undefined) return known;
  const fresh = jsonata(expression, limits);
  for (const name of compiled.keys()) {
    if (compiled.size < COMPILED_MAX) break;
    compiled.delete(name);
  }
  compiled.set(expression, fresh);
  return fresh;
}

async function run({ expression, text, at_ms }: TransformInput): Promise<TransformAnswer> {
  try {
    today = at_ms;
    const made: unknown = await compile(expression).evaluate(JSON.parse(text));
    const output = writeJson(made);
    if (output === undefined) return { output: null, error: 'it makes nothing of this event', position: null };
    const bytes = Buffer.byteLength(output);
    if (bytes <= TRANSFORM_OUTPUT_BYTES_MAX) return { output, error: null, position: null };
    const error = `it makes ${bytes} bytes, and ${TRANSFORM_OUTPUT_BYTES_MAX} are allowed`;
    return { output: null, error, position: null };
  } catch (error) {
    const { position } = error as { position?: unknown };
    return { output: null, error: wordsOf(error), position: typeof position === 'number' ? position : null };
  }
}

/** A function that was not called is no JSON, and inside it is a circle. */
function writeJson(made: unknown): string | undefined {
  try {
    return JSON.stringify(made);
  } catch {
    throw new Error('its result holds a function: call it, or leave it out');
  }
}

parentPort?.on('message', (input: TransformInput) => void run(input).then((answer) => parentPort?.postMessage(answer)));
parentPort?.postMessage('ready');
