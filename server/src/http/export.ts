// Whole lists as a stream of lines: NDJSON for programs, CSV for spreadsheets. Slices are read one after another, each
// when the client has taken the one before. A line belongs here if it is about the text of an export.

import type { TSchema } from 'typebox';
import { type Column, columnsOf, writeHeader, writeRow } from './csv.ts';
import { type Call, JsonText, type StreamContract } from './operation.ts';
import { type Item, PAGE_LIMIT_MAX, type Walk } from './paging.ts';
import { compileValidator } from './validator.ts';

export const NDJSON = 'application/x-ndjson';
export const CSV = 'text/csv; charset=utf-8';
/** Items are read in slices of about so many bytes, so that an export of large ones holds no more than one of small ones. */
const SLICE_BYTES_AIMED = 524_288;
const SLICE_ITEMS_MIN = 5;

export function isExport({ media_type }: Pick<Call, 'media_type'>): boolean {
  return media_type === NDJSON || media_type === CSV;
}

/** What an export is made of. */
export interface Exported {
  item: TSchema;
  example: unknown;
  /** Of the CSV; when absent, those of the schema. */
  columns?: readonly Column[];
}

/** The forms in which a list can be exported, for its contract. */
export function exportForms({ item, example, columns = columnsOf(item) }: Exported): Record<string, StreamContract> {
  return {
    [NDJSON]: {
      description: 'The whole list, one item a line, each as a page shows it.',
      example: `${JSON.stringify(example)}\n`,
    },
    [CSV]: {
      description:
        'The whole list as CSV (RFC 4180) with a header row. Lists and records are JSON in their cell. A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return stands behind an apostrophe, so that no spreadsheet runs it.',
      example: writeHeader(columns) + writeRow(columns, example),
    },
  };
}

/** The lines of a list in the form that the call asks for. Ends when the client goes. */
export async function* writeExport(
  call: Pick<Call, 'media_type' | 'signal'> & { query: { limit?: number; after?: string } },
  walk: Walk,
  { item, columns = columnsOf(item) }: Exported,
): AsyncGenerator<string, void> {
  const line = call.media_type === CSV ? (one: Item) => writeRow(columns, parse(one)) : jsonLine(item);
  let header = call.media_type === CSV ? writeHeader(columns) : '';
  let left = call.query.limit ?? Number.POSITIVE_INFINITY;
  let after = call.query.after ?? null;
  let size = PAGE_LIMIT_MAX / 4;
  do {
    const { items, next } = await walk.readSlice(after, Math.min(size, left));
    const text = items.map(line).join('');
    if (header !== '' || text !== '') yield header + text;
    header = '';
    after = next;
    left -= items.length;
    if (items.length > 0) size = sizeFor(text.length / items.length);
  } while (after !== null && left > 0 && !call.signal.aborted);
}

function sizeFor(bytesOfItem: number): number {
  return Math.min(PAGE_LIMIT_MAX, Math.max(SLICE_ITEMS_MIN, Math.round(SLICE_BYTES_AIMED / bytesOfItem)));
}

function parse(item: Item): unknown {
  return item instanceof JsonText ? JSON.parse(item.text) : item;
}

/** Values that are not rendered yet meet the same wall as in a page: no member leaves that the schema does not know. */
function jsonLine(schema: TSchema): (item: Item) => string {
  const validate = compileValidator(schema, '');
  return (item) => {
    if (item instanceof JsonText) return `${item.text}\n`;
    const unknown = validate(item)?.find((fault) => fault.code === 'unknown_field');
    if (unknown !== undefined) throw new Error(`an item holds what its schema does not know: ${unknown.pointer}`);
    return `${JSON.stringify(item)}\n`;
  };
}
