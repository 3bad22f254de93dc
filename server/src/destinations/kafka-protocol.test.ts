// Kafka's protocol against figures that others computed: Java's partitioner, the checksum of RFC 3720, the login of RFC 7677.

import assert from 'node:assert/strict';
import test from 'node:test';
import { converse } from './kafka-login.ts';
import { crc32c, murmur2, partitionOf, writeBatch } from './kafka-record.ts';
import { isCertainlyNotWritten, isMoved, isNumberUnknown, wordsForCode } from './kafka-refusal.ts';
import { apis, readMissingApis } from './kafka-request.ts';
import { AnswerStream, frameOf, WireReader, WireWriter } from './kafka-wire.ts';

test("a key belongs to the partition where Java's producer puts it", () => {
  const figures = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ] as const;
  for (const [key, hash] of figures) {
    assert.equal(murmur2(Buffer.from(key)), hash, key);
    assert.equal(partitionOf(Buffer.from(key), 12), (hash & 0x7fffffff) % 12);
  }
});

test('a batch carries its checksum, and the number by which a repeat is known', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  const record = {
    key: Buffer.from('k'),
    value: Buffer.alloc(70_000, 1),
    headers: ['a', 'ü'],
    timestamp: 1_700_000_000_000,
  };
  const batch = writeBatch(record, { producer_id: 9_007n, epoch: 3, sequence: 77 });
  assert.equal(batch.readInt32BE(8), batch.length - 12);
  assert.equal(batch.readUInt32BE(17), crc32c(batch.subarray(21)));
  const reader = new WireReader(batch.subarray(43));
  assert.deepEqual([reader.int64(), reader.int16(), reader.int32(), reader.int32()], [9_007n, 3, 77, 1]);
});

test('numbers of records take few bytes, however large they are', () => {
  const bytes = (value: number) => [...new WireWriter().varint(value).toBuffer()];
  assert.deepEqual([0, -1, 1, 63, 64, 300].map(bytes), [[0], [1], [2], [126], [0x80, 1], [0xd8, 4]]);
  assert.deepEqual(bytes(0x7fffffff), [0xfe, 0xff, 0xff, 0xff, 0x0f]);
});

test('answers are taken out of what arrives, however it is cut, and what is no answer is refused', () => {
  const answer = (correlation: number, text: string) => {
    const body = new WireWriter().int32(correlation).string(text).toBuffer();
    return new WireWriter().bytes(body).toBuffer();
  };
  const bytes = Buffer.concat([answer(1, 'one'), answer(2, 'two')]);
  const stream = new AnswerStream();
  const taken = [...bytes].flatMap((byte) => stream.take(Buffer.of(byte)));
  assert.deepEqual(
    taken.map(({ correlation, body }) => [correlation, body.string()]),
    [
      [1, 'one'],
      [2, 'two'],
    ],
  );
  assert.equal(new AnswerStream().take(bytes).length, 2);
  assert.throws(() => new AnswerStream().take(Buffer.from('HTTP/1.1 400 Bad Request')), /is not Kafka/);
  assert.throws(() => new AnswerStream().take(Buffer.of(0x15, 3, 3, 0, 2, 2, 70)), /is not Kafka/);
  assert.throws(() => new WireReader(Buffer.of(0, 5, 65)).string(), /ends too early/);
  assert.equal(frameOf(apis.produce, 7, Buffer.of(1)).readInt32BE(0), 8 + 2 + 'waypost'.length + 1);
});

test('a broker that does not know what we ask is told apart', () => {
  const say = (versions: readonly (readonly [number, number, number])[]) => {
    const writer = new WireWriter().int16(0);
    writer.array(versions, (each) => {
      for (const value of each) writer.int16(value);
    });
    return readMissingApis(new WireReader(writer.toBuffer())).missing.map(({ name }) => name);
  };
  assert.deepEqual(
    say([
      [0, 0, 12],
      [3, 0, 13],
      [22, 0, 5],
    ]),
    [],
  );
  assert.deepEqual(
    say([
      [0, 0, 5],
      [3, 0, 13],
    ]),
    ['InitProducerId', 'Produce'],
  );
});

test('SCRAM proves that we know the password, and wants the broker to prove it too', async () => {
  const login = { username: 'user', password: 'pencil' };
  const nonce = 'rOprNGfwEbeRWgbNEkqO';
  const first = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const talk = async (...said: string[]) => {
    const next = converse('scram_sha_256', login, nonce);
    const words: (string | null)[] = [];
    for (const each of ['', ...said]) words.push((await next(Buffer.from(each)))?.toString() ?? null);
    return words;
  };
  const proof = 'p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
  assert.deepEqual(await talk(first, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='), [
    `n,,n=user,r=${nonce}`,
    `c=biws,r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,${proof}`,
    null,
  ]);
  await assert.rejects(talk(first, 'v=AAAA'), /does not know the password/);
  await assert.rejects(talk('r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'), /does not hold to SCRAM/);
  await assert.rejects(talk(first.replace('i=4096', 'i=1')), /does not hold to SCRAM/);
  await assert.rejects(talk(first.replace('i=4096', 'i=99999999')), /does not hold to SCRAM/);
  const odd = await converse('scram_sha_512', { ...login, username: 'a=b,c' }, nonce)(Buffer.alloc(0));
  assert.equal(odd?.toString(), `n,,n=a=3Db=2Cc,r=${nonce}`);
  const plain = converse('plain', login, nonce);
  assert.deepEqual(
    [(await plain(Buffer.alloc(0)))?.toString(), await plain(Buffer.alloc(0))],
    ['\0user\0pencil', null],
  );
});

test('what a broker says no with is told in words, and what it leaves open is not taken for a no', () => {
  assert.match(
    wordsForCode(19, 'orders'),
    /^fewer replicas of the topic orders are in sync than its min\.insync\.replicas/,
  );
  assert.match(wordsForCode(99, 'orders'), /orders \(Kafka's error 99\)$/);
  for (const code of [3, 6, 10, 19, 29]) assert.equal(isCertainlyNotWritten(code), true, String(code));
  // Time was up, too few replicas had it, the disk failed, or something unknown happened: it may be there.
  for (const code of [-1, 7, 20, 56]) assert.equal(isCertainlyNotWritten(code), false, String(code));
  assert.deepEqual([isMoved(6), isMoved(19), isNumberUnknown(45), isNumberUnknown(7)], [true, false, true, false]);
});
