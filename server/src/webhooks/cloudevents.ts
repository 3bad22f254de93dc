// Events as CloudEvents 1.0 (https://cloudevents.io): attributes, and the two ways in which HTTP carries them. Pure; a
// line belongs here if it concerns what a CloudEvent says. All of it is computed from the event alone, so that every
// attempt has the same bytes.

/** What of an event becomes attributes; everything in it stands before `data` in the text. */
interface EventHead {
  id: string;
  type: string;
  topics: readonly string[];
  schema_version: string;
  sequence: number | null;
  job_sequence: number | null;
  occurred_at: string;
  recorded_at: string;
  correlation_id: string;
  tenant_id: string;
  channel_id: string | null;
  world: string;
  log_epoch: number | null;
}

/** What the log keeps beside the event's text. */
export interface EventSubject {
  data_id: string;
  /** The job, or the object that the event is about: what keeps its order. */
  lane: string;
  traceparent: string | null;
}

type Attributes = Readonly<Record<string, string | number>>;

export const STRUCTURED_MEDIA_TYPE = 'application/cloudevents+json; charset=utf-8';
/** Texts of this many digits are in the order of their numbers, as the extension `sequence` wants them. */
const SEQUENCE_DIGITS = 16;

/** Names what the data of a type looks like in a version: an identifier, nothing is found there. */
export function dataSchemaOf(type: string, schema_version: string): string {
  return `urn:waypost:event-type:${type}:${schema_version}`;
}

/**
 * The attributes of an event, in the order in which they are written. `text` is that of the event, as it is kept: nothing
 * personal stands before `data`. When the data is not the event itself any more, nobody says what it looks like.
 */
export function attributesOf(text: string, subject: EventSubject, isTransformed: boolean): Attributes {
  const head = JSON.parse(`${text.slice(0, text.indexOf(',"data":{'))}}`) as EventHead;
  const { sequence, job_sequence, log_epoch } = head;
  return {
    specversion: '1.0',
    id: head.id,
    source: head.channel_id === null ? `/${head.tenant_id}` : `/${head.tenant_id}/${head.channel_id}`,
    type: head.type,
    time: head.occurred_at,
    subject: subject.data_id,
    ...(!isTransformed && { dataschema: dataSchemaOf(head.type, head.schema_version) }),
    partitionkey: subject.lane,
    ...(sequence !== null && { sequence: String(sequence).padStart(SEQUENCE_DIGITS, '0') }),
    ...(job_sequence !== null && { jobsequence: job_sequence }),
    ...(log_epoch !== null && { logepoch: log_epoch }),
    recordedtime: head.recorded_at,
    world: head.world,
    ...(head.topics.length > 0 && { topics: head.topics.join(',') }),
    correlationid: head.correlation_id,
    ...(subject.traceparent !== null && { traceparent: subject.traceparent }),
  };
}

/** Structured mode: one JSON object, with the event in `data`. */
export function writeStructured(attributes: Attributes, data: Buffer): Buffer {
  const head = JSON.stringify({ ...attributes, datacontenttype: 'application/json' });
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"data":`), data, Buffer.from('}')]);
}

/** Binary mode: the attributes as headers, names and values in turn; the body is the data. */
export function writeBinaryHeaders(attributes: Attributes): string[] {
  return Object.entries(attributes).flatMap(([name, value]) => [`ce-${name}`, encodeHeaderValue(String(value))]);
}

/** As the HTTP binding (3.1.3.2) says: blanks, quotes, percent signs and what is not ASCII, by their bytes in UTF-8. */
export function encodeHeaderValue(value: string): string {
  return value.replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, (letter) =>
    [...Buffer.from(letter)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
