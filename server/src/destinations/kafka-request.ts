// The six things that are asked of a Kafka broker, each in one version that Kafka has known since 2.1 and still knows in 4:
// as bytes, and what the answers mean. Pure.

import { type WireReader, WireWriter } from './kafka-wire.ts';

export interface Api {
  name: string;
  key: number;
  version: number;
}

export const apis = {
  versions: { name: 'ApiVersions', key: 18, version: 0 },
  metadata: { name: 'Metadata', key: 3, version: 4 },
  handshake: { name: 'SaslHandshake', key: 17, version: 1 },
  authenticate: { name: 'SaslAuthenticate', key: 36, version: 0 },
  init_producer: { name: 'InitProducerId', key: 22, version: 0 },
  produce: { name: 'Produce', key: 0, version: 7 },
} as const satisfies Record<string, Api>;

/** Of those that a session needs: the ones that this broker does not know, after an answer to `apis.versions`. */
export function readMissingApis(answer: WireReader): { code: number; missing: Api[] } {
  const code = answer.int16();
  const known = answer.array(() => ({ key: answer.int16(), min: answer.int16(), max: answer.int16() }));
  const needed: Api[] = [apis.metadata, apis.init_producer, apis.produce];
  const isKnown = (api: Api) =>
    known.some(({ key, min, max }) => key === api.key && min <= api.version && api.version <= max);
  return { code, missing: needed.filter((api) => !isKnown(api)) };
}

export const writeHandshake = (mechanism: string): Buffer => new WireWriter().string(mechanism).toBuffer();

export function readHandshake(answer: WireReader): { code: number; mechanisms: string[] } {
  return { code: answer.int16(), mechanisms: answer.array(() => answer.string() ?? '') };
}

export const writeToken = (token: Buffer): Buffer => new WireWriter().bytes(token).toBuffer();

export function readToken(answer: WireReader): { code: number; message: string | null; token: Buffer } {
  return { code: answer.int16(), message: answer.string(), token: answer.bytes() };
}

/** Asks for one topic, and not that it be made. */
export function writeMetadata(topic: string): Buffer {
  const writer = new WireWriter();
  return writer
    .array([topic], (name) => writer.string(name))
    .int8(0)
    .toBuffer();
}

export interface Member {
  node: number;
  host: string;
  port: number;
}
/** Where the partitions of a topic are led, by their number; -1 where none leads. */
export interface TopicPlan {
  code: number;
  members: Member[];
  leaders: number[];
}

export function readMetadata(answer: WireReader): TopicPlan {
  answer.int32();
  const members = answer.array(() => {
    const member = { node: answer.int32(), host: answer.string() ?? '', port: answer.int32() };
    answer.string();
    return member;
  });
  answer.string();
  answer.int32();
  const topics = answer.array(() => {
    const code = answer.int16();
    answer.string();
    answer.int8();
    return { code, partitions: answer.array(() => readPartition(answer)) };
  });
  const [topic = { code: -1, partitions: [] }] = topics;
  const sorted = topic.partitions.toSorted((one, other) => one.index - other.index);
  return { code: topic.code, members, leaders: sorted.map(({ leader }) => leader) };
}

function readPartition(answer: WireReader): { index: number; leader: number } {
  answer.int16();
  const partition = { index: answer.int32(), leader: answer.int32() };
  answer.array(() => answer.int32());
  answer.array(() => answer.int32());
  return partition;
}

/** A producer without transactions; the time-out is for those that have some. */
export const writeInitProducer = (): Buffer => new WireWriter().string(null).int32(0).toBuffer();

export function readInitProducer(answer: WireReader): { code: number; producer_id: bigint; epoch: number } {
  answer.int32();
  return { code: answer.int16(), producer_id: answer.int64(), epoch: answer.int16() };
}

/** Every replica that is in sync has to have it. */
const ACKS_ALL = -1;

export function writeProduce(topic: string, partition: number, batch: Buffer, timeout_ms: number): Buffer {
  return new WireWriter()
    .string(null)
    .int16(ACKS_ALL)
    .int32(timeout_ms)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(partition)
    .bytes(batch)
    .toBuffer();
}

export function readProduce(answer: WireReader): { code: number; offset: bigint } {
  const topics = answer.array(() => {
    answer.string();
    return answer.array(() => {
      answer.int32();
      const result = { code: answer.int16(), offset: answer.int64() };
      answer.int64();
      answer.int64();
      return result;
    });
  });
  return topics[0]?.[0] ?? { code: -1, offset: -1n };
}
