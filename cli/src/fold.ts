// Lines that are wider than the terminal, broken between words and under their own column. A line belongs here if it
// decides where a line breaks.

const INDENT_MORE = 4;

/** Columns are separated by two blanks or more: one that does not fit begins a line of its own, or goes on below itself. */
export function foldLine(line: string, columns: number): string {
  if (visibleLength(line) <= columns) return line;
  const [, lead = '', rest = ''] = /^( *)(.*)$/s.exec(line) ?? [];
  const hang = lead.length + INDENT_MORE;
  const lines: string[] = [];
  let current = lead;
  for (const [index, part] of rest.split(/( {2,})/).entries()) {
    if (index % 2 === 1) {
      current += part;
      continue;
    }
    const place = visibleLength(current);
    if (place + visibleLength(part) <= columns) {
      current += part;
      continue;
    }
    const stays = place <= columns / 2;
    if (!stays) {
      lines.push(current.trimEnd());
      current = ' '.repeat(hang);
    }
    const indent = stays ? place : hang;
    for (const [at, word] of part.split(' ').entries()) {
      const isFirst = at === 0;
      if (!isFirst && visibleLength(current) + 1 + visibleLength(word) > columns) {
        lines.push(current);
        current = ' '.repeat(indent) + word;
      } else current += isFirst ? word : ` ${word}`;
    }
  }
  return [...lines, current].join('\n');
}

export function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with the escape character.
  return text.replaceAll(/\x1b\[\d+m/g, '').length;
}
