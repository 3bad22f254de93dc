// The README's first five minutes and the quickstart's commands, taken from their fenced blocks and run line by line in
// a copy of this tree, as somebody who has just cloned it would. What a document says and no longer works fails here.

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { canReach } from '../server/src/db/embedded-user.ts';
import { readBlocks, readSteps } from './fenced-block.ts';
import { followBlock } from './follow-block.ts';

const root = dirname(import.meta.dirname);
/** Somebody who is not root and owns nothing. */
const SOMEBODY = { name: 'nobody', uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;

const [firstMinutes = '', ...others] = readBlocks(join(root, 'README.md'));

test('the README has one block of commands, and most of its commands say what to look for', () => {
  assert.deepEqual(others, []);
  const steps = readSteps(firstMinutes);
  assert.ok(steps.length > 15);
  assert.ok(steps.flatMap(({ expected }) => expected).length >= 12);
});

test('the first five minutes are as the README says, with a server that is killed twice and its receiver once', async () => {
  const output = await followBlock(readSteps(firstMinutes));
  assert.equal(output.match(/SIGKILL to the server/g)?.length, 2, output);
  assert.equal(output.match(/SIGKILL to the receiver/g)?.length, 1, output);
});

if (isRoot && canReach(SOMEBODY, join(root, 'node_modules')))
  test('the same for somebody who is not root', async () => {
    // The last day plays on a server of its own: it has been played above.
    const steps = readSteps(firstMinutes).filter(({ command }) => !command.startsWith('npm run demo'));
    await followBlock(steps, SOMEBODY);
  });
else if (isRoot) console.log('not run: the first five minutes as another user (node_modules is out of their reach)');

test('the commands of the quickstart work as they stand', async () => {
  await followBlock(readBlocks(join(root, 'docs/quickstart.md')).flatMap(readSteps));
});
