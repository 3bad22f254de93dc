// Holds events against what the API says of their types: every test that looks at a whole house does so for every event
// that was written in it.

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { listOperations } from '../../tools/openapi.ts';
import { formats } from '../src/http/formats.ts';
import { liftAll } from '../src/http/openapi.ts';
import { catalogueOf } from '../src/webhooks/event-type.routes.ts';

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  // Each test file compiles them anew, and most are used a few times.
  code: { optimize: false },
  messages: false,
  formats: Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.test])),
});
const CATALOGUE = 'waypost:events';
const compiled = new Map<string, ValidateFunction | undefined>();

/** Fails for an event that does not look as its type is described. */
export function checkEvent(event: { type: string; topics: string[]; sequence?: number | null }): void {
  const validate = findCheck(event.type);
  assert.ok(validate, `the type ${event.type} is described`);
  const isGood: boolean = validate(event);
  if (isGood) return;
  const faults = (validate.errors ?? []).map((e) => `${e.instancePath} ${e.keyword} ${JSON.stringify(e.params)}`);
  assert.fail(
    `event ${event.sequence} (${event.type}, ${event.topics}) breaks its schema:\n${faults.slice(0, 8).join('\n')}`,
  );
}

/** What several types speak of, such as a job, is compiled once. */
function findCheck(type: string): ValidateFunction | undefined {
  if (compiled.size === 0) {
    const types = catalogueOf(listOperations()).map((one) => [one.type, one.schema] as const);
    const { value, schemas } = liftAll(Object.fromEntries(types));
    ajv.addSchema({ $id: CATALOGUE, types: value, components: { schemas } });
    for (const [known] of types) compiled.set(known, undefined);
  }
  if (!compiled.has(type)) return undefined;
  const check = compiled.get(type) ?? ajv.compile({ $ref: `${CATALOGUE}#/types/${type}` });
  compiled.set(type, check);
  return check;
}
