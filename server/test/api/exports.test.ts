// Lists as streams: the same items as the pages, line by line, for programs and for spreadsheets.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import type { Job } from '../../../sdk/src/jobs.ts';
import { type House, refused, startHouse } from '../house.ts';
import { freshReference, givenDriver, givenJob } from './given.ts';

const NDJSON = 'application/x-ndjson';

let house: House;
before(async () => {
  house = await startHouse();
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('an export of jobs is what the pages show, in their order, with the filters of the list', async () => {
  const mark = freshReference('export');
  const marked = (order: { metadata: object }) => {
    order.metadata = { mark };
  };
  const made = await Promise.all(Array.from({ length: 120 }, () => givenJob(house, marked)));
  await givenJob(house);
  const paged = await collect(house.as.source.jobs.iterate({ metadata: { mark }, limit: 50 }));
  assert.equal(paged.length, made.length);
  assert.deepEqual(await collect(house.as.source.jobs.export({ metadata: { mark } })), paged);
  const { text, headers, status } = await house.call('GET', `/v1/jobs?metadata[mark]=${mark}`, undefined, {
    headers: { accept: NDJSON },
  });
  assert.deepEqual([status, headers.get('content-type')], [200, NDJSON]);
  assert.equal(headers.get('content-disposition'), 'attachment; filename="jobs.ndjson"');
  assert.deepEqual(linesOf(text), paged);
  const since = { metadata: { mark }, updated_since: '2020-01-01T00:00:00Z' };
  const changes = await collect(house.as.source.jobs.export(since));
  assert.deepEqual(
    changes.map(({ id }) => id),
    (await collect(house.as.source.jobs.iterate(since))).map(({ id }) => id),
  );
  const [third] = (await house.as.source.jobs.list({ metadata: { mark }, limit: 3 })).data.slice(2);
  const rest = await house.as.source.jobs.list({ metadata: { mark }, limit: 3 });
  const continued = await collect(
    house.as.source.jobs.export({ metadata: { mark }, after: rest.next ?? '', limit: 5 }),
  );
  assert.deepEqual(
    [third?.id, ...continued.map(({ id }) => id)],
    paged.slice(2, 8).map(({ id }) => id),
  );
});

test('the CSV of jobs has one row a job, and no cell that a spreadsheet runs', async () => {
  const mark = freshReference('csv');
  await givenJob(house, (order) => {
    order.reference = `=${mark}`;
    order.metadata = { mark };
    order.deliveries[0].contact.name = '@Berg, "A."';
    order.deliveries[0].address.line2 = 'Two\nlines';
  });
  const text = (await collect(house.as.source.jobs.exportCsv({ metadata: { mark } }))).join('');
  const [header = '', row = '', end] = text.split('\r\n');
  assert.equal(end, '');
  const names = header.split(',');
  const cells = [...row.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );
  const of = (name: string) => cells[names.indexOf(name)];
  assert.deepEqual(
    [of('reference'), of('recipient'), of('phone'), of('line2'), of('status'), of('deliveries')],
    [`'=${mark}`, '\'@Berg, "A."', "'+46701234567", 'Two\nlines', 'accepted', '1'],
  );
  assert.deepEqual(JSON.parse(of('metadata') ?? ''), { mark });
  assert.equal(of('lat'), '57.7066');
  const masked = (await collect(house.as.plain.jobs.exportCsv({ metadata: { mark } }))).join('');
  assert.ok(masked.includes("'+46*******67"), 'numbers are masked without contacts:read');
});

test('other lists are exported as well, with columns by their schema', async () => {
  const driver = await givenDriver(house, { name: '-Anna' });
  assert.deepEqual((await collect(house.as.source.drivers.export()))[0], driver);
  const csv = await house.call('GET', '/v1/drivers', undefined, { headers: { accept: 'text/csv' } });
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  assert.equal(csv.headers.get('content-disposition'), 'attachment; filename="drivers.csv"');
  const [header = '', row = ''] = csv.text.split('\r\n');
  assert.ok(header.startsWith('id,reference,name,'), header);
  assert.ok(row.startsWith(`${driver.id},,'-Anna,`), row);
  for (const path of [
    '/v1/exceptions',
    '/v1/customers',
    '/v1/channels',
    '/v1/keys',
    '/v1/endpoints',
    '/v1/dead-letters',
  ]) {
    const { status, headers } = await house.call('GET', path, undefined, { headers: { accept: 'text/csv' } });
    assert.deepEqual([status, headers.get('content-type')], [200, 'text/csv; charset=utf-8'], path);
  }
});

test('a form that is not offered is 406, and refusals before the first line are problems', async () => {
  const ask = (path: string, accept: string, as: 'source' | 'weak' = 'source') =>
    house.call('GET', path, undefined, { as, headers: { accept } });
  const none = await ask('/v1/jobs', 'application/xml');
  assert.deepEqual([none.status, none.body.code], [406, 'not_acceptable']);
  assert.deepEqual(none.body.offered, ['application/json', NDJSON, 'text/csv']);
  assert.equal((await ask('/v1/jobs?after=x', NDJSON)).body.code, 'invalid_cursor');
  assert.equal((await ask('/v1/jobs?limit=0', NDJSON)).body.code, 'invalid_request');
  assert.equal((await ask('/v1/jobs', NDJSON, 'weak')).body.code, 'forbidden');
  await refused(collect<Job>(house.as.weak.jobs.export()), 403, 'forbidden');
  const one = await givenJob(house);
  const path = `/v1/jobs?channel=${house.channel_id}&reference=${one.reference}`;
  assert.deepEqual(linesOf((await ask(path, NDJSON)).text), [one], 'an export is a list, also of one');
});
