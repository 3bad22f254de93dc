// The settings as people read them: for `waypost config` and for docs/config.md.

import { type Config, type OptionKey, options } from '../config.ts';
import type { Told } from './word.ts';

/** Every setting with its value; secrets are said to be set, and no more. */
export function listSettings(config: Config): Told {
  const rows = (Object.keys(options) as OptionKey[]).map((key) => {
    const { name, form, fallback, secret, sentence } = options[key];
    return { name, value: showValue(config[key], secret), default: fallback, form, secret, sentence };
  });
  const width = Math.max(...rows.map(({ name }) => name.length));
  return {
    lines: rows.flatMap(({ name, value, sentence }) => [
      `${name.padEnd(width)}  ${value ?? '(unset)'}`,
      `${' '.repeat(width)}  ${sentence}`,
    ]),
    value: { settings: rows },
  };
}

function showValue(value: unknown, secret: boolean): string | null {
  if (value === null) return null;
  if (secret) return '(set, not shown)';
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** docs/config.md, whole. */
export function renderConfigPage(): string {
  const rows = Object.values(options).map(({ name, form, fallback, secret, sentence }) => {
    const start = fallback === null ? 'unset' : fallback === '' ? 'empty' : `\`${fallback}\``;
    return `| \`${name}\` | ${form} | ${start} | ${sentence}${secret ? ' Secret: never printed.' : ''} |`;
  });
  return `# Settings

Waypost is set by environment variables, read once at the start. A value that it cannot use, or a \`WAYPOST_\` variable
that it does not know, is refused with a sentence. \`./waypost config\` prints what is in force.

This page is made from the table in \`server/src/config.ts\` by \`node tools/run.mjs tools/config-docs.ts\`.

| variable | form | default | what it does |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}
