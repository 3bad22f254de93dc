// Holds events against what the API says of their types: every test that looks at a whole house does so for every event
// that was written in it.

import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { listOperations } from '../../tools/openapi.ts';
import { formats } from '../src/http/formats.ts';
import { standaloneSchema } from '../src/http/openapi.ts';
import type { EventTypeDescription } from '../src/webhooks/event-catalogue.ts';
import { catalogueOf } from '../src/webhooks/event-type.routes.ts';

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  // Each test file compiles them anew, and most are used a few times.
  code: { optimize: false },
  formats: Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.test])),
});
let catalogue: Map<string, EventTypeDescription> | null = null;
const compiled = new Map<string, ValidateFunction>();

/** Fails for an event that does not look as its type is described. */
export function checkEvent(event: { type: string; topics: string[]; sequence?: number | null }): void {
  catalogue ??= new Map(catalogueOf(listOperations()).map((one) => [one.type, one]));
  const described = catalogue.get(event.type);
  assert.ok(described, `the type ${event.type} is described`);
  const validate: ValidateFunction = compiled.get(event.type) ?? ajv.compile(standaloneSchema(described.schema));
  compiled.set(event.type, validate);
  const isGood: boolean = validate(event);
  if (isGood) return;
  const faults = (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
  assert.fail(
    `event ${event.sequence} (${event.type}, ${event.topics}) breaks its schema:\n${faults.slice(0, 8).join('\n')}`,
  );
}
