import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RuleBatch, startRuleBatch, WORLD_ID } from '../../test/rule-batch.ts';
import type { Hub } from './hub.schema.ts';
import { hubBook } from './hub.store.ts';
import { addressOfHub, createHubCommand, hubInputAt } from './hub.ts';

const actor = { type: 'system', id: 'test' } as const;
const input = hubInputAt('Göteborg', 57.7, 11.9, 'Europe/Stockholm');

function create(batch: RuleBatch): Hub {
  const command = createHubCommand(hubBook, { world_id: WORLD_ID, actor, correlation_id: 'c', input });
  const loads = command.load.map((round) => (set: typeof batch.set) => [...round(set)]);
  return batch.run(loads, command.decide).events[0]?.document?.value as Hub;
}
test("a task at the hub keeps the hub's name, kind and time zone with its address", () => {
  const hub = create(startRuleBatch());
  const { name, kind, time_zone, location } = addressOfHub(hub);
  assert.deepEqual([name, kind, time_zone], ['Göteborg', 'hub', 'Europe/Stockholm']);
  assert.deepEqual(location, { lat: 57.7, lng: 11.9, accuracy_m: null });
});
