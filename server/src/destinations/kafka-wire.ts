// The words of Kafka's protocol as bytes: numbers, texts and lists, all big-endian, and the frame of a request. Pure.

/** Writes values one after the other. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.raw(Buffer.of(value & 0xff));
  }
  int16(value: number): this {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    return this.raw(part);
  }
  int32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    return this.raw(part);
  }
  uint32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeUInt32BE(value);
    return this.raw(part);
  }
  int64(value: bigint): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigInt64BE(value);
    return this.raw(part);
  }
  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    return this.int16(bytes.length).raw(bytes);
  }
  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value);
  }
  /** A number of few bytes when it is near zero, as records have them. */
  varint(value: number): this {
    const part: number[] = [];
    let left = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; left > 0x7f; left >>>= 7) part.push((left & 0x7f) | 0x80);
    part.push(left);
    return this.raw(Buffer.from(part));
  }
  varbytes(value: Buffer): this {
    return this.varint(value.length).raw(value);
  }
  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length);
    for (const value of values) write(value);
    return this;
  }
  raw(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Reads values one after the other. Throws a RangeError where there are no more bytes. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }
  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }
  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }
  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8));
  }
  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#take(length).toString();
  }
  bytes(): Buffer {
    return this.#take(Math.max(0, this.int32()));
  }
  array<T>(read: () => T): T[] {
    const values: T[] = [];
    for (let left = this.int32(); left > 0; left -= 1) values.push(read());
    return values;
  }

  #take(length: number): Buffer {
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }
  #skip(length: number): number {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('the answer of the broker ends too early');
    return from;
  }
}

const LENGTH_BYTES = 4;
/** Broken streams and other protocols show by lengths that no answer has. */
const ANSWER_BYTES_MAX = 8 * 1_048_576;

/** A request with its length and header: what it asks, in which version, and the number by which it is answered. */
export function frameOf(api: { key: number; version: number }, correlation: number, body: Buffer): Buffer {
  const head = new WireWriter().int16(api.key).int16(api.version).int32(correlation).string('waypost').toBuffer();
  return new WireWriter()
    .int32(head.length + body.length)
    .raw(head)
    .raw(body)
    .toBuffer();
}

/** Takes whole answers out of what has arrived so far. */
export class AnswerStream {
  #pending: Buffer = Buffer.alloc(0);

  /** Throws a RangeError when these are no answers of Kafka. */
  take(chunk: Buffer): { correlation: number; body: WireReader }[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const answers: { correlation: number; body: WireReader }[] = [];
    while (this.#pending.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#pending.readInt32BE(0);
      if (end < 2 * LENGTH_BYTES || end > ANSWER_BYTES_MAX) throw new RangeError('what answers there is not Kafka');
      if (this.#pending.length < end) break;
      const body = new WireReader(this.#pending.subarray(LENGTH_BYTES, end));
      this.#pending = this.#pending.subarray(end);
      answers.push({ correlation: body.int32(), body });
    }
    return answers;
  }
}
