import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTerminal } from './terminal.ts';

function open(isTTY: boolean) {
  let nowMs = 0;
  let written = '';
  const err = { isTTY, columns: 80, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
  const terminal = openTerminal({ asJson: false, out: err, err, env: {}, nowMs: () => nowMs });
  return {
    progress(line: string) {
      nowMs += 10_000;
      terminal.progress(line);
    },
    written: () => written,
  };
}

test('progress in a log is a line when there is something new', () => {
  const log = open(false);
  for (const line of ['1 waits', '1 waits', '2 wait', '2 wait', '1 waits']) log.progress(line);
  assert.equal(log.written(), '1 waits\n2 wait\n1 waits\n');
});

test('progress on a terminal is one line that moves', () => {
  const screen = open(true);
  for (const line of ['1 waits', '1 waits']) screen.progress(line);
  assert.equal(screen.written(), '\r\x1b[2K1 waits\r\x1b[2K1 waits');
});
