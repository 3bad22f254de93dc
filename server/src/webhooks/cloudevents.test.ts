import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CloudEvent, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { attributesOf, encodeHeaderValue, writeBinaryHeaders, writeStructured } from './cloudevents.ts';

const head = {
  id: 'evt_1',
  type: 'job.delivery.updated',
  topics: ['delivery.completed', 'job.completed'],
  schema_version: '2026-11-01',
  sequence: 10_291,
  job_sequence: 7,
  occurred_at: '2026-11-21T12:00:00.000Z',
  effective_at: '2026-11-21T12:00:00.000Z',
  recorded_at: '2026-11-21T12:00:01.412Z',
  correlation_id: 'order-10293',
  tenant_id: 'ten_1',
  channel_id: 'chn_1' as string | null,
  world: 'live',
  log_epoch: 1,
};
const data = { data_id: 'tsk_1', job: { note: ',"data":{"' }, changes: {} };
const textOf = (change: object = {}) => JSON.stringify({ ...head, ...change, data });
const subject = { data_id: 'tsk_1', lane: 'job_1', traceparent: null };

test('every attribute says what CloudEvents and its documented extensions mean by it', () => {
  assert.deepEqual(attributesOf(textOf(), { ...subject, traceparent: '00-ab-cd-01' }, false), {
    specversion: '1.0',
    id: 'evt_1',
    source: '/ten_1/chn_1',
    type: 'job.delivery.updated',
    time: '2026-11-21T12:00:00.000Z',
    subject: 'tsk_1',
    dataschema: 'urn:waypost:event-type:job.delivery.updated:2026-11-01',
    partitionkey: 'job_1',
    sequence: '0000000000010291',
    jobsequence: 7,
    logepoch: 1,
    recordedtime: '2026-11-21T12:00:01.412Z',
    world: 'live',
    topics: 'delivery.completed,job.completed',
    correlationid: 'order-10293',
    traceparent: '00-ab-cd-01',
  });
});

test('what an event has not is left out, and a transformed one does not claim a schema', () => {
  const bare = { topics: [], sequence: null, job_sequence: null, log_epoch: null, channel_id: null };
  const attributes = attributesOf(textOf(bare), subject, true);
  assert.equal(attributes.source, '/ten_1');
  const missing = ['dataschema', 'sequence', 'jobsequence', 'logepoch', 'topics', 'traceparent'];
  for (const name of missing) assert.equal(name in attributes, false, name);
});

test('the official SDK reads both modes, finds them valid, and gets the same event', () => {
  const body = Buffer.from(textOf());
  const attributes = attributesOf(body.toString(), subject, false);
  const structured = HTTP.toEvent({
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    body: writeStructured(attributes, body).toString(),
  });
  const pairs = writeBinaryHeaders(attributes);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  for (let index = 0; index < pairs.length; index += 2) headers[pairs[index] ?? ''] = pairs[index + 1] ?? '';
  const binary = HTTP.toEvent({ headers, body: body.toString() });
  for (const event of [structured, binary] as CloudEvent[]) {
    assert.equal(event.validate(), true);
    assert.deepEqual(
      [event.id, event.source, event.type, event.subject],
      ['evt_1', '/ten_1/chn_1', head.type, 'tsk_1'],
    );
    assert.deepEqual(event.data, JSON.parse(body.toString()));
    assert.equal(event.sequence, '0000000000010291');
    assert.equal(event.topics, 'delivery.completed,job.completed');
  }
});

test('header values are percent-encoded as the HTTP binding says, and read back whole', () => {
  assert.equal(encodeHeaderValue('Euro € 😀'), 'Euro%20%E2%82%AC%20%F0%9F%98%80');
  assert.equal(encodeHeaderValue('"100%"'), '%22100%25%22');
  assert.equal(encodeHeaderValue("job.created,a~!#$&'()"), "job.created,a~!#$&'()");
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const encoded = encodeHeaderValue(text);
      assert.match(encoded, /^[\x21-\x7e]*$/);
      assert.equal(decodeURIComponent(encoded), text);
    }),
  );
});
