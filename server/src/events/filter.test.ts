import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileValidator } from '../http/validator.ts';
import { namePatterns } from './filter.schema.ts';
import { compileFilter, PATTERN, tagsIn } from './filter.ts';

const event = {
  type: 'job.delivery.updated',
  topics: ['delivery.completed', 'job.completed'],
  channel_id: 'chn_1',
  readTags: (): readonly string[] => assert.fail('nobody asked for tags'),
};
const none = { types: [], topics: [], channel_ids: null, tags: null };

test('a name is matched whole, by its beginning, or by everything, as a type or as a topic', () => {
  const fits: Record<string, boolean> = {
    '*': true,
    'job.*': true,
    'job.delivery.*': true,
    'job.delivery.updated': true,
    'job.delivery': false,
    job: false,
    'job.pickup.*': false,
    'customer.*': false,
    'job.delivery.updated.*': false,
    'jo.*': false,
    'delivery.*': true,
    'delivery.completed': true,
    'job.completed': true,
    'delivery.failed': false,
  };
  for (const [pattern, expected] of Object.entries(fits)) {
    assert.equal(compileFilter({ ...none, types: [pattern] })(event), expected, pattern);
    assert.equal(compileFilter({ ...none, topics: [pattern] })(event), expected, `as a topic: ${pattern}`);
  }
});

test('an event without topics is asked for by its type', () => {
  const bare = { ...event, topics: [] };
  assert.equal(compileFilter({ ...none, topics: ['delivery.*'] })(bare), false);
  assert.equal(compileFilter({ ...none, types: ['*'] })(bare), true);
});

test('type and topic are alternatives', () => {
  assert.equal(compileFilter({ ...none, types: ['customer.*'], topics: ['job.completed'] })(event), true);
  assert.equal(compileFilter({ ...none, types: ['job.*'], topics: ['eta.updated'] })(event), true);
  assert.equal(compileFilter(none)(event), false);
});

test('channels narrow what types and topics let through', () => {
  const all = { ...none, types: ['*'] };
  assert.equal(compileFilter({ ...all, channel_ids: ['chn_1', 'chn_2'] })(event), true);
  assert.equal(compileFilter({ ...all, channel_ids: ['chn_2'] })(event), false);
  assert.equal(compileFilter({ ...all, channel_ids: [] })(event), false);
  assert.equal(compileFilter({ ...all, channel_ids: ['chn_1'] })({ ...event, channel_id: null }), false);
  assert.equal(compileFilter(all)({ ...event, channel_id: null }), true);
});

test('tags narrow what is let through, any of them will do, and an event without any has none of them', () => {
  const cold = { ...none, types: ['job.*'], tags: ['cold', 'fragile'] };
  const tagged = (...tags: string[]) => ({ ...event, readTags: () => tags });
  assert.equal(compileFilter(cold)(tagged('heavy', 'fragile')), true);
  assert.equal(compileFilter(cold)(tagged('heavy')), false);
  assert.equal(compileFilter(cold)(tagged()), false);
  assert.equal(compileFilter(cold)({ ...tagged('cold'), type: 'customer.updated', topics: [] }), false);
  assert.equal(compileFilter(cold)({ ...tagged(), type: 'log.restored', topics: [] }), true, 'owed to everybody');
});

test('the tags of an event are those that its job has, and those that it has just lost', () => {
  const body = (data: object) => JSON.stringify({ id: 'evt_1', data });
  assert.deepEqual(tagsIn(body({ data_id: 'job_1', job: { tags: ['a', 'b'] }, changes: {} })), ['a', 'b']);
  assert.deepEqual(tagsIn(body({ job: { tags: [] }, changes: { tags: [['a'], []] } })), ['a']);
  assert.deepEqual(tagsIn(body({ data_id: 'cus_1', customer: { name: '\u0001v0.0' }, changes: {} })), []);
});

test('patterns are what the schema says', () => {
  for (const good of ['*', 'job.*', 'job.created', 'job.pickup.*', 'proof.media_stored'])
    assert.match(good, new RegExp(PATTERN));
  for (const bad of ['', '.*', 'job*', 'job.*.updated', '*.created', 'Job.created', 'job..created', 'job.']) {
    assert.doesNotMatch(bad, new RegExp(PATTERN));
  }
});

test('a beginning fits exactly the names that continue it after a dot', () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/);
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 4 }),
      fc.array(word, { minLength: 1, maxLength: 4 }),
      (a, b) => {
        const matches = compileFilter({ ...none, types: [`${a.join('.')}.*`] })({
          ...event,
          type: b.join('.'),
          topics: [],
        });
        assert.equal(matches, b.length > a.length && a.every((part, index) => b[index] === part));
      },
    ),
  );
});

test('a name that cannot be one is told by an example', () => {
  const [fault] = compileValidator(namePatterns({ minItems: 1 }), '')(['Job created']) ?? [];
  assert.match(fault?.message ?? '', /^has not the form that it needs: A name, .*, such as "job\.\*"$/);
});
