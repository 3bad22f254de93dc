// Drivers, vehicles and hubs through the door.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { hubBook } from '../src/fleet/hub.store.ts';
import { createHubCommand, hubInputAt } from '../src/fleet/hub.ts';
import { type House, startHouse } from './house.ts';
import { orderOf } from './order-input.ts';
import { operateOn } from './server.ts';

let server: House;
before(async () => {
  server = await startHouse();
});

const address = { location: { lat: 57.7, lng: 11.9 }, precision: 'rooftop', access: null };
const hub = { name: 'Göteborg', address, time_zone: 'Europe/Stockholm' };
const lind = { name: 'K. Lind', phone: '+46701112210', email: 'k.lind@example.com', skills: ['two_person'] };
let counter = 0;
const fresh = () => `N-${++counter}`;
const make = async (path: string, body: object) => (await server.call('POST', path, body)).body;
const newestTypes = async (count: number) => {
  const rows = await server.database.sql<{ type: string }[]>`
    select type from events where world_id = ${server.world_id} order by sequence desc limit ${count}`;
  return rows.map((row) => row.type).reverse();
};

describe('drivers', () => {
  test('a driver is made, read, changed and deleted, each with its event', async () => {
    const made = await server.call('POST', '/v1/drivers', lind);
    assert.equal(made.status, 201);
    const { id, created_at, updated_at, ...rest } = made.body;
    assert.deepEqual(rest, {
      ...lind,
      reference: null,
      status: 'active',
      hub_id: null,
      vehicle_id: null,
      metadata: {},
      version: 1,
      deleted_at: null,
    });
    const path = `/v1/drivers/${id}`;
    assert.equal(made.headers.get('location'), path);
    assert.deepEqual((await server.call('GET', path)).body, made.body);
    const patched = await server.call('PATCH', path, { status: 'inactive' }, { headers: { 'if-match': '"1"' } });
    assert.deepEqual([patched.status, patched.body.status, patched.body.version], [200, 'inactive', 2]);
    assert.equal((await server.call('DELETE', path)).status, 204);
    assert.equal((await server.call('GET', path)).status, 404);
    assert.deepEqual(await newestTypes(3), ['driver.created', 'driver.updated', 'driver.deleted']);
  });

  test('name, telephone number and e-mail address are sealed, and masked without contacts:read', async () => {
    const made = await make('/v1/drivers', lind);
    const [row] = await server.database.sql<{ body: string }[]>`
      select body from drivers where world_id = ${server.world_id} and id = ${made.id}`;
    for (const value of [lind.name, lind.phone, lind.email]) assert.equal(row?.body.includes(value), false);
    const { body } = await server.call('GET', `/v1/drivers/${made.id}`, undefined, { as: 'plain' });
    assert.deepEqual([body.phone, body.email], ['+46*******10', 'k***@example.com']);
  });

  test('a reference is unique: the same request is answered with what stands, another is refused', async () => {
    const reference = fresh();
    const first = await server.call('POST', '/v1/drivers', { ...lind, reference });
    const again = await server.call('POST', '/v1/drivers', { ...lind, reference });
    assert.deepEqual([again.status, again.body], [200, first.body]);
    const other = await server.call('POST', '/v1/drivers', { ...lind, reference, name: 'X' });
    assert.deepEqual([other.status, other.body.code], [409, 'duplicate_external_id']);
    const second = await make('/v1/drivers', lind);
    const taken = await server.call('PATCH', `/v1/drivers/${second.id}`, { reference });
    assert.deepEqual([taken.status, taken.body.code], [409, 'duplicate_external_id']);
    await server.call('DELETE', `/v1/drivers/${first.body.id}`);
    assert.equal((await server.call('POST', '/v1/drivers', { ...lind, reference })).status, 201);
  });

  test('hub and vehicle must exist', async () => {
    const unknown = { hub_id: 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe', vehicle_id: 'veh_01kaj2w0d4f8tb3h5gk9mzq7xe' };
    const refused = await server.call('POST', '/v1/drivers', { ...lind, ...unknown });
    assert.deepEqual([refused.status, refused.body.code], [422, 'unknown_reference']);
    assert.deepEqual(
      refused.body.errors.map((fault: { pointer: string }) => fault.pointer),
      ['/hub_id', '/vehicle_id'],
    );
    const made = await make('/v1/drivers', lind);
    assert.equal((await server.call('PATCH', `/v1/drivers/${made.id}`, unknown)).status, 422);
    const known = {
      hub_id: (await make('/v1/hubs', hub)).id,
      vehicle_id: (await make('/v1/vehicles', { kind: 'van' })).id,
    };
    const placed = await server.call('PATCH', `/v1/drivers/${made.id}`, known);
    assert.deepEqual([placed.body.hub_id, placed.body.vehicle_id], [known.hub_id, known.vehicle_id]);
    const listed = await server.call('GET', `/v1/drivers?hub_id=${known.hub_id}&status=active`);
    assert.deepEqual(listed.body.data, [placed.body]);
  });

  test('a driver with open tasks cannot be deleted', async () => {
    const made = await make('/v1/drivers', lind);
    const { sql } = server.database;
    const addTask = (status: string, task_id: string) => sql`
      insert into tasks (world_id, job_id, task_id, kind, position, status, driver_id)
      values (${server.world_id}, 'job_1', ${task_id}, 'delivery', 1, ${status}, ${made.id})`;
    await addTask('completed', 'tsk_1');
    await addTask('en_route', 'tsk_2');
    const refused = await server.call('DELETE', `/v1/drivers/${made.id}`);
    assert.deepEqual([refused.status, refused.body.code, refused.body.open_tasks], [409, 'resource_in_use', 1]);
    await sql`update tasks set status = 'failed' where world_id = ${server.world_id} and task_id = 'tsk_2'`;
    assert.equal((await server.call('DELETE', `/v1/drivers/${made.id}`)).status, 204);
  });

  test('faults and stale versions are refused', async () => {
    const { status, body } = await server.call('POST', '/v1/drivers', { skills: ['Two Person'], status: 'asleep' });
    assert.equal(status, 422);
    assert.deepEqual(body.errors.map((fault: { pointer: string }) => fault.pointer).sort(), [
      '/name',
      '/skills/0',
      '/status',
    ]);
    const made = await make('/v1/drivers', lind);
    const headers = { 'if-match': '"9"' };
    assert.equal(
      (await server.call('PATCH', `/v1/drivers/${made.id}`, { status: 'inactive' }, { headers })).status,
      412,
    );
    assert.equal((await server.call('DELETE', `/v1/drivers/${made.id}`, undefined, { headers })).status, 412);
  });
});

describe('vehicles', () => {
  test('a vehicle is made, read, listed and changed, each with its event', async () => {
    const reference = fresh();
    const made = await server.call('POST', '/v1/vehicles', { kind: 'cargo_bike', reference, features: ['cooled'] });
    assert.equal(made.status, 201);
    const path = `/v1/vehicles/${made.body.id}`;
    assert.deepEqual((await server.call('GET', path)).body, made.body);
    const patched = await server.call('PATCH', path, { status: 'inactive', plate: 'ABC 123' });
    assert.deepEqual([patched.body.status, patched.body.plate, patched.body.version], ['inactive', 'ABC 123', 2]);
    assert.deepEqual((await server.call('GET', `/v1/vehicles?reference=${reference}`)).body.data, [patched.body]);
    assert.deepEqual(await newestTypes(2), ['vehicle.created', 'vehicle.updated']);
  });

  test('a vehicle is deleted once no driver takes it, and told as gone to those who follow', async () => {
    const reference = fresh();
    const made = await make('/v1/vehicles', { kind: 'van', reference });
    const path = `/v1/vehicles/${made.id}`;
    const driver = await make('/v1/drivers', { ...lind, vehicle_id: made.id });
    const refused = await server.call('DELETE', path);
    assert.deepEqual(
      [refused.status, refused.body.code, refused.body.used_by],
      [409, 'resource_in_use', { drivers: 1 }],
    );
    assert.match(refused.body.detail, /^One driver takes the vehicle .*: give them another or none/);
    await server.call('PATCH', `/v1/drivers/${driver.id}`, { vehicle_id: null });
    assert.equal((await server.call('DELETE', path, undefined, { headers: { 'if-match': '"9"' } })).status, 412);
    assert.equal((await server.call('DELETE', path)).status, 204);
    for (const method of ['GET', 'PATCH', 'DELETE'])
      assert.equal((await server.call(method, path, method === 'PATCH' ? { plate: 'X' } : undefined)).status, 404);
    assert.deepEqual((await server.call('GET', `/v1/vehicles?reference=${reference}`)).body.data, []);
    const { data } = (await server.call('GET', `/v1/vehicles?updated_since=${made.created_at}`)).body;
    const told = data.find((each: { id: string }) => each.id === made.id);
    assert.deepEqual([told.version, told.deleted_at], [2, told.updated_at]);
    assert.deepEqual(await newestTypes(1), ['vehicle.deleted']);
    const again = await server.call('PATCH', `/v1/drivers/${driver.id}`, { vehicle_id: made.id });
    assert.deepEqual([again.status, again.body.code], [422, 'unknown_reference']);
    assert.equal((await server.call('POST', '/v1/vehicles', { kind: 'van', reference })).status, 201);
  });

  test('drivers who take a vehicle while it is deleted never end up with one that is gone', async () => {
    const driver = await make('/v1/drivers', lind);
    for (let round = 0; round < 20; round++) {
      const { id } = await make('/v1/vehicles', { kind: 'van' });
      const [taken, deleted] = await Promise.all([
        server.call('PATCH', `/v1/drivers/${driver.id}`, { vehicle_id: id }),
        server.call('DELETE', `/v1/vehicles/${id}`),
      ]);
      assert.deepEqual(taken.status === 200 ? [200, 409] : [422, 204], [taken.status, deleted.status]);
    }
  });

  test('an unknown hub, a bad kind, a taken reference and a stale version are refused', async () => {
    const reference = fresh();
    const made = await make('/v1/vehicles', { kind: 'van', reference });
    const hub_id = 'hub_01kaj2w0d4f8tb3h5gk9mzq7xe';
    assert.equal((await server.call('POST', '/v1/vehicles', { kind: 'van', hub_id })).body.code, 'unknown_reference');
    assert.equal((await server.call('PATCH', `/v1/vehicles/${made.id}`, { hub_id })).body.code, 'unknown_reference');
    assert.equal((await server.call('POST', '/v1/vehicles', { kind: 'ship' })).body.code, 'invalid_request');
    assert.equal((await server.call('POST', '/v1/vehicles', { kind: 'car', reference })).status, 409);
    const other = await make('/v1/vehicles', { kind: 'van' });
    assert.equal((await server.call('PATCH', `/v1/vehicles/${other.id}`, { reference })).status, 409);
    const headers = { 'if-match': '"9"' };
    assert.equal((await server.call('PATCH', `/v1/vehicles/${made.id}`, { kind: 'car' }, { headers })).status, 412);
  });
});

describe('hubs', () => {
  test('a hub is made, read, listed and changed, each with its event', async () => {
    const reference = fresh();
    const made = await server.call('POST', '/v1/hubs', { ...hub, reference });
    assert.equal(made.status, 201);
    const path = `/v1/hubs/${made.body.id}`;
    assert.deepEqual((await server.call('GET', path)).body, made.body);
    const patched = await server.call('PATCH', path, {
      name: 'Harbour',
      address: { ...address, line1: 'Hamngatan 2' },
    });
    assert.deepEqual([patched.body.name, patched.body.address.line1], ['Harbour', 'Hamngatan 2']);
    assert.deepEqual((await server.call('GET', `/v1/hubs?reference=${reference}`)).body.data, [patched.body]);
    assert.deepEqual(await newestTypes(2), ['hub.created', 'hub.updated']);
  });

  test('a hub is deleted once no driver, vehicle or channel names it', async () => {
    const made = await make('/v1/hubs', hub);
    const path = `/v1/hubs/${made.id}`;
    const users = [
      ['/v1/drivers', await make('/v1/drivers', { ...lind, hub_id: made.id })],
      ['/v1/vehicles', await make('/v1/vehicles', { kind: 'van', hub_id: made.id })],
      ['/v1/vehicles', await make('/v1/vehicles', { kind: 'car', hub_id: made.id })],
      ['/v1/channels', await make('/v1/channels', { name: 'Shop', hub_id: made.id })],
    ];
    const refused = await server.call('DELETE', path);
    assert.deepEqual([refused.status, refused.body.code], [409, 'resource_in_use']);
    assert.deepEqual(refused.body.used_by, { drivers: 1, vehicles: 2, channels: 1 });
    assert.match(
      refused.body.detail,
      /is named by 1 driver, 2 vehicles, 1 channel: give them another `hub_id` or null/,
    );
    for (const [many, { id }] of users) {
      assert.equal((await server.call('DELETE', path)).status, 409);
      await server.call('PATCH', `${many}/${id}`, { hub_id: null });
    }
    assert.equal((await server.call('DELETE', path)).status, 204);
    assert.equal((await server.call('GET', path)).status, 404);
    assert.deepEqual(await newestTypes(1), ['hub.deleted']);
    for (const [many, { id }] of users) {
      const { status, body } = await server.call('PATCH', `${many}/${id}`, { hub_id: made.id });
      assert.deepEqual([status, body.errors[0].pointer], [422, '/hub_id'], many);
    }
  });

  test("the world's default hub is its first active one that is not deleted", async () => {
    const house = await startHouse();
    const { channel_id, other_channel_id } = house;
    const own = (await house.call('GET', `/v1/channels/${channel_id}`)).body.hub_id;
    for (const id of [channel_id, other_channel_id]) await house.call('PATCH', `/v1/channels/${id}`, { hub_id: null });
    const asked = async () => (await house.call('POST', '/v1/jobs', orderOf(fresh(), channel_id))).body.hub_id;
    const makeHub = async (extra: object) => (await house.call('POST', '/v1/hubs', { ...hub, ...extra })).body.id;
    await makeHub({ status: 'inactive' });
    const [first, second, third] = [await makeHub({}), await makeHub({}), await makeHub({})];
    assert.equal(await asked(), own);
    await house.call('DELETE', `/v1/hubs/${own}`);
    assert.equal(await asked(), first);
    await house.call('DELETE', `/v1/hubs/${first}`);
    assert.equal(await asked(), second);
    await house.call('PATCH', `/v1/hubs/${second}`, { status: 'inactive' });
    assert.equal(await asked(), third);
  });

  test('a hub without a place, in no time zone, under a taken reference or a stale version is refused', async () => {
    const nowhere = { ...address, location: null, precision: 'unlocated' };
    const lost = await server.call('POST', '/v1/hubs', { ...hub, address: nowhere });
    assert.deepEqual([lost.status, lost.body.errors[0].pointer], [422, '/address/location']);
    const zoned = await server.call('POST', '/v1/hubs', { ...hub, time_zone: 'Europe/Atlantis' });
    assert.deepEqual([zoned.status, zoned.body.errors[0].pointer], [422, '/time_zone']);
    const reference = fresh();
    const made = await make('/v1/hubs', { ...hub, reference });
    assert.equal((await server.call('POST', '/v1/hubs', { ...hub, reference, name: 'X' })).status, 409);
    const other = await make('/v1/hubs', hub);
    assert.equal((await server.call('PATCH', `/v1/hubs/${other.id}`, { reference })).status, 409);
    assert.equal((await server.call('PATCH', `/v1/hubs/${made.id}`, { address: nowhere })).status, 422);
    const headers = { 'if-match': '"9"' };
    assert.equal((await server.call('PATCH', `/v1/hubs/${made.id}`, { name: 'X' }, { headers })).status, 412);
  });

  test('the command line makes a hub through the ledger', async () => {
    const input = hubInputAt('Yantai', 37.46, 121.44, 'Asia/Shanghai');
    const actor = { type: 'system', id: 'cli' } as const;
    const command = createHubCommand(hubBook, { world_id: server.world_id, actor, correlation_id: 'test', input });
    const made = await operateOn(server.database, (operator) =>
      operator.commit<{ id: string; address: Record<string, string> }>(command),
    );
    assert.deepEqual((await server.call('GET', `/v1/hubs/${made.id}`)).body, made);
    assert.deepEqual([made.address.kind, made.address.precision], ['hub', 'manual_pin']);
  });
});

describe('who may', () => {
  test('every operation is refused without a key, without its scope, and to strangers', async () => {
    const ids = {
      drivers: (await make('/v1/drivers', lind)).id,
      vehicles: (await make('/v1/vehicles', { kind: 'van' })).id,
      hubs: (await make('/v1/hubs', hub)).id,
    };
    const inputs = { drivers: lind, vehicles: { kind: 'van' }, hubs: hub };
    for (const many of ['drivers', 'vehicles', 'hubs'] as const) {
      const path = `/v1/${many}/${ids[many]}`;
      const one: [string, string, unknown][] = [
        ['GET', path, undefined],
        ['PATCH', path, { status: 'inactive' }],
        ['DELETE', path, undefined],
      ];
      const all: [string, string, unknown][] = [
        ...one,
        ['GET', `/v1/${many}`, undefined],
        ['POST', `/v1/${many}`, inputs[many]],
      ];
      for (const [method, at, body] of all) {
        assert.equal((await server.call(method, at, body, { as: null })).status, 401, `${method} ${at}`);
        assert.equal((await server.call(method, at, body, { as: 'weak' })).status, 403, `${method} ${at}`);
      }
      for (const [method, at, body] of one) {
        assert.equal((await server.call(method, at, body, { as: 'stranger' })).status, 404, `${method} ${at}`);
      }
      const seen = await server.call('GET', `/v1/${many}`, undefined, { as: 'stranger' });
      assert.equal(seen.text.includes(ids[many]), false, `a stranger sees ${many}`);
      assert.equal((await server.call('GET', path)).body.version, 1);
    }
    const foreign = await server.call('POST', '/v1/drivers', { ...lind, hub_id: ids.hubs }, { as: 'stranger' });
    assert.deepEqual([foreign.status, foreign.body.code], [422, 'unknown_reference']);
  });
});
