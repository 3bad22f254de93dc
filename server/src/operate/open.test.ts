import assert from 'node:assert/strict';
import test from 'node:test';
import { whenThere } from './open.ts';

const failure = (code: string) => Object.assign(new Error(code), { code });

/** Fails with these codes one after the other, then succeeds. */
function failing(...codes: string[]) {
  let now = 0;
  let tries = 0;
  const clock = {
    now: () => now,
    pause: async (ms: number) => {
      now += ms;
    },
  };
  const work = async () => {
    const code = codes[tries++];
    if (code !== undefined) throw failure(code);
    return tries;
  };
  return { clock, work };
}

test('an embedded database that is being started again is waited for', async () => {
  const { clock, work } = failing('ECONNREFUSED', '57P03', 'CONNECTION_CLOSED');
  assert.equal(await whenThere(true, work, () => {}, clock), 4);
});

test("a server of one's own is waited for only while it says that it starts", async () => {
  const starting = failing('57P03', '57P03');
  assert.equal(await whenThere(false, starting.work, () => {}, starting.clock), 3);
  const absent = failing('ECONNREFUSED');
  await assert.rejects(
    whenThere(false, absent.work, () => {}, absent.clock),
    { code: 'ECONNREFUSED' },
  );
});

test('what is not a matter of time is told at once, and nobody waits for ever', async () => {
  const wrong = failing('42501');
  await assert.rejects(
    whenThere(true, wrong.work, () => {}, wrong.clock),
    { code: '42501' },
  );
  const gone = failing(...Array.from({ length: 1_000 }, () => 'ECONNREFUSED'));
  await assert.rejects(
    whenThere(true, gone.work, () => {}, gone.clock),
    { code: 'ECONNREFUSED' },
  );
});
