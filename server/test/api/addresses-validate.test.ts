// The dry run of an address: what it would be answered, every fault at once, and not a row is written.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { type Answer, type House, headsOf, startHouse } from '../house.ts';

let house: House;
before(async () => {
  house = await startHouse();
});

const place = {
  line1: 'Storgatan 1',
  city: 'Göteborg',
  country: 'SE',
  location: { lat: 57.7066, lng: 11.9672 },
  precision: 'rooftop',
  access: { notes: 'Ring twice' },
};
const faultsOf = ({ body }: Answer) =>
  body.faults.map(({ pointer, code }: { pointer: string; code: string }) => `${pointer} ${code}`).sort();

async function countRows(): Promise<unknown> {
  const [counts] = await house.database.sql`
    select (select count(*) from addresses) as addresses, (select count(*) from subjects) as subjects,
      (select count(*) from idempotency_keys) as keys`;
  return { ...counts, heads: await headsOf(house) };
}

/** The dry run, of which nothing may be left, and then the address itself. */
async function tryBoth(address: object) {
  const before = await countRows();
  const tried = await house.call('POST', '/v1/addresses/validate', address);
  assert.equal(tried.status, 200, tried.text);
  assert.deepEqual(await countRows(), before);
  return { tried, sent: await house.call('POST', '/v1/addresses', address) };
}

test('a good address is shown as it would be', async () => {
  const { tried, sent } = await tryBoth(place);
  const { valid, status, address, problem, faults } = tried.body;
  assert.deepEqual([valid, status, problem, faults], [true, 201, null, []]);
  const bare = ({ id: _, created_at: __, updated_at: ___, ...members }: Record<string, unknown>) => members;
  assert.deepEqual(bare(address), bare(sent.body), 'but for its id and times');
  assert.equal((await house.call('GET', `/v1/addresses/${address.id}`)).status, 404);
});

test('what is refused is refused in the same words, with every fault', async () => {
  for (const [address, found] of [
    [{ ...place, country: 'Sweden', lat: 1 }, ['/country wrong_form', '/lat unknown_field']],
    [{ ...place, location: null }, ['/location location_missing']],
    [{ ...place, customer_id: 'cus_01kaj2w0d4f8tb3h5gk9mzq7xe' }, ['/customer_id unknown_reference']],
  ] as const) {
    const { tried, sent } = await tryBoth(address);
    assert.deepEqual([tried.body.valid, tried.body.address], [false, null]);
    assert.deepEqual(
      [tried.body.status, tried.body.problem.code, tried.body.problem.detail],
      [sent.status, sent.body.code, sent.body.detail],
    );
    assert.deepEqual(faultsOf(tried), found);
  }
});

test('an address that exists under its number is answered with it, another under that number with the clash', async () => {
  const numbered = { ...place, external_id: 'A-1' };
  const made = await house.call('POST', '/v1/addresses', numbered);
  const again = await tryBoth(numbered);
  assert.deepEqual([again.tried.body.status, again.tried.body.address], [200, made.body]);
  const { tried } = await tryBoth({ ...numbered, city: 'Malmö' });
  assert.deepEqual([tried.body.valid, tried.body.status], [false, 409]);
  assert.deepEqual(faultsOf(tried), [' duplicate_external_id']);
});
