import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { fillHoles, openParts, sealParts, startCutting, subjectsIn } from './personal.ts';

const key = randomBytes(32);

test('what was cut, sealed and opened reads as before', () => {
  const value = fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constant(null),
    fc.record({ lat: fc.integer() }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ subject: fc.constantFrom('cus_a', 'cus_b', 'drv_c'), value, plain: fc.string() })),
      (members) => {
        // Text of callers never holds control characters: they are refused at the door.
        const clean = members.map((member) => ({ ...member, plain: member.plain.replaceAll('\u0001', '') }));
        const cutting = startCutting();
        const body = JSON.stringify(
          clean.map(({ subject, value, plain }) => [plain, cutting.hole('value', subject, value)]),
        );
        const sealed = sealParts(7, 'evt_x', cutting.parts, () => key);
        const parts = openParts(7, 'evt_x', sealed, () => key);
        assert.equal(
          fillHoles(body, parts, 'personal'),
          JSON.stringify(clean.map(({ value, plain }) => [plain, value])),
        );
      },
    ),
  );
});

test('the order in which values are cut does not matter', () => {
  const cutting = startCutting();
  const [email, name] = [cutting.hole('value', 'cus_a', 'mail'), cutting.hole('value', 'cus_a', 'Ann')];
  assert.equal(fillHoles(JSON.stringify({ name, email }), cutting.parts, 'personal'), '{"name":"Ann","email":"mail"}');
});

test('a part cannot be opened at another place', () => {
  const sealed = sealParts(7, 'evt_x', [{ subject_id: 'cus_a', values: ['secret'] }], () => key);
  assert.throws(() => openParts(7, 'evt_y', sealed, () => key));
  assert.throws(() => openParts(8, 'evt_x', sealed, () => key));
});

test('no sealed value can be read from the stored bytes', () => {
  const sealed = sealParts(1, 'evt_x', [{ subject_id: 'cus_a', values: ['Storgatan 1'] }], () => key);
  assert.equal(sealed.includes('Storgatan'), false);
  assert.deepEqual(subjectsIn(sealed), ['cus_a']);
});

test('an erased subject reads null, its neighbour does not', () => {
  const cutting = startCutting();
  const body = JSON.stringify({ a: cutting.hole('value', 'cus_a', 'Ann'), b: cutting.hole('value', 'cus_b', 'Bo') });
  const sealed = sealParts(1, 'evt_x', cutting.parts, () => key);
  const parts = openParts(1, 'evt_x', sealed, (subject) => (subject === 'cus_a' ? null : key));
  assert.equal(fillHoles(body, parts, 'personal'), '{"a":null,"b":"Bo"}');
});

test('the plain rendering masks phone and e-mail and nothing else', () => {
  const cutting = startCutting();
  const body = JSON.stringify({
    name: cutting.hole('value', 'cus_a', 'A. Berg'),
    phone: cutting.hole('phone', 'cus_a', '+46701234567'),
    email: cutting.hole('email', 'cus_a', 'berg@example.com'),
    short: cutting.hole('phone', 'cus_a', '112'),
    odd: cutting.hole('email', 'cus_a', 'nothing'),
  });
  const parts = cutting.parts;
  assert.deepEqual(JSON.parse(fillHoles(body, parts, 'plain')), {
    name: 'A. Berg',
    phone: '+46*******67',
    email: 'b***@example.com',
    short: '***',
    odd: '***',
  });
});
