import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBroken, readHeard, readSteps, writeScript } from './fenced-block.ts';

const block = `# A remark.
echo one
# → one
# → on

curl -d '{
  "a": 1
}' x |
  cat
move() {
  echo "$1"
}
move 1
# → 422 no
`;

test('commands are read whole, with what to look for; remarks are left out', () => {
  assert.deepEqual(readSteps(block), [
    { command: 'echo one', expected: ['one', 'on'] },
    { command: `curl -d '{\n  "a": 1\n}' x |\n  cat`, expected: [] },
    { command: 'move() {\n  echo "$1"\n}', expected: [] },
    { command: 'move 1', expected: ['422 no'] },
  ]);
});

test('what is missing, what failed and what never ended is told; a promised refusal may end with 1', () => {
  const steps = readSteps('a\n# → A\nb\nc\n# → 409 x\nd\n');
  assert.match(writeScript(steps), /^echo "@@ step 0"\na\necho "@@ step exit \$\?"\n/);
  const output =
    '@@ step 0\nB\n@@ step exit 0\n@@ step 1\n@@ step exit 7\n@@ step 2\n409 x\n@@ step exit 1\n@@ step 3\n';
  const broken = findBroken(readHeard(steps, output));
  assert.equal(broken.length, 3);
  assert.match(broken[0] ?? '', /did not print "A"; it printed:\nB$/);
  assert.match(broken[1] ?? '', /it ended with 7/);
  assert.match(broken[2] ?? '', /^d\n {2}it never ended/);
});
