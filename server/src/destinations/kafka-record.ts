// A message as Kafka keeps it: a batch of one record with its checksum, and the partition that its key belongs to. Pure.

import { WireWriter } from './kafka-wire.ts';

/** By which a partition knows what it already has: whoever writes, and the how manieth of theirs it is there. */
export interface ProducerNumber {
  producer_id: bigint;
  epoch: number;
  sequence: number;
}

export interface KafkaRecord {
  key: Buffer;
  value: Buffer;
  /** Names and values, one after the other. */
  headers: readonly string[];
  /** Milliseconds. */
  timestamp: number;
}

const RECORD_BATCH_VERSION = 2;
/** What stands before the part that the checksum covers, and after the length: epoch of the leader, version, checksum. */
const BEFORE_CHECKED_BYTES = 9;

/** A batch of the one record, in the form of version 2 (KIP-98). */
export function writeBatch(record: KafkaRecord, { producer_id, epoch, sequence }: ProducerNumber): Buffer {
  const body = writeRecord(record);
  const timestamp = BigInt(record.timestamp);
  const checked = new WireWriter()
    .int16(0)
    .int32(0)
    .int64(timestamp)
    .int64(timestamp)
    .int64(producer_id)
    .int16(epoch)
    .int32(sequence)
    .int32(1)
    .varbytes(body)
    .toBuffer();
  return new WireWriter()
    .int64(0n)
    .int32(checked.length + BEFORE_CHECKED_BYTES)
    .int32(-1)
    .int8(RECORD_BATCH_VERSION)
    .uint32(crc32c(checked))
    .raw(checked)
    .toBuffer();
}

function writeRecord({ key, value, headers }: KafkaRecord): Buffer {
  const writer = new WireWriter()
    .int8(0)
    .varint(0)
    .varint(0)
    .varbytes(key)
    .varbytes(value)
    .varint(headers.length / 2);
  for (const text of headers) writer.varbytes(Buffer.from(text));
  return writer.toBuffer();
}

/** Where Java's producer would put it, so that other writers of the same keys meet it there. */
export function partitionOf(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const MURMUR_SEED = 0x9747b28c;
const MURMUR_FACTOR = 0x5bd1e995;

export function murmur2(bytes: Buffer): number {
  const whole = bytes.length & ~3;
  let hash = MURMUR_SEED ^ bytes.length;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), MURMUR_FACTOR);
    word = Math.imul(word ^ (word >>> 24), MURMUR_FACTOR);
    hash = Math.imul(hash, MURMUR_FACTOR) ^ word;
  }
  if (whole < bytes.length) {
    hash ^= bytes.readUIntLE(whole, bytes.length - whole);
    hash = Math.imul(hash, MURMUR_FACTOR);
  }
  hash = Math.imul(hash ^ (hash >>> 13), MURMUR_FACTOR);
  return hash ^ (hash >>> 15);
}

const CASTAGNOLI = 0x82f63b78;
const checksums = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ CASTAGNOLI : value >>> 1;
  return value >>> 0;
});

/** CRC-32C: Node computes another one (`zlib.crc32`). */
export function crc32c(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ (checksums[(value ^ byte) & 0xff] ?? 0);
  return (value ^ 0xffffffff) >>> 0;
}
