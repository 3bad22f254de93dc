// The mistakes that people make, put into an example: a misspelt name, a number in quotes, a country by its name, a time
// without its offset. Each must be told by the API in words. Pure.

import type { ExampleKind } from './example.ts';
import { isTree, type Json } from './freshen.ts';

type Change = (value: Json) => Json;

const mistakes: Readonly<Record<ExampleKind, Readonly<Record<string, Change>>>> = {
  job: {
    priority: (value) => value,
    country: () => 'Sweden',
    quantity: (value) => String(value),
    start: (value) => String(value).replace(/Z$/, ''),
    precision: () => 'roftop',
  },
  completion: {
    to: () => 'complete',
    outcome: (value) => value,
    lat: (value) => String(value),
  },
  endpoint: {
    url: () => 'shop.example/hooks',
    types: () => ['job.creatd'],
  },
};

/** Names that are written wrong. */
const misspelt: Readonly<Record<string, string>> = {
  priority: 'priorty',
  outcome: 'outcom',
  description: 'descripton',
};

export function spoil(kind: ExampleKind, body: Json): Json {
  if (Array.isArray(body)) return body.map((each) => spoil(kind, each));
  if (!isTree(body)) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const change = mistakes[kind][name];
      return [misspelt[name] ?? name, change === undefined ? spoil(kind, value) : change(value)];
    }),
  );
}
