import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultOwnership } from '../channels/channel.ts';
import { jobStatuses } from './job.schema.ts';
import {
  drawMachine,
  factsOfTransition,
  jobStatusFollows,
  requestedTransitions,
  stepsBetween,
  transitionNames,
} from './state-machine.ts';
import { isFinalJob } from './status.ts';
import { taskStatuses } from './task.schema.ts';

test('every state of the table is one of its machine, and every state of a task is reached and left or final', () => {
  const reached = new Set<string>(['pending']);
  for (const name of transitionNames) {
    const facts = factsOfTransition(name);
    const known: readonly string[] = facts.of === 'job' ? jobStatuses : taskStatuses;
    for (const status of [...facts.from, ...facts.jumps_from, ...facts.to])
      assert.ok(known.includes(status), `${name}: ${status}`);
    assert.ok(facts.from.length > 0 && facts.to.length > 0, name);
    assert.equal(new Set([...facts.from, ...facts.jumps_from]).size, facts.from.length + facts.jumps_from.length, name);
    if (facts.of === 'task') for (const status of facts.to) reached.add(status);
  }
  // A task is cancelled with its job.
  assert.deepEqual([...reached].sort(), [...taskStatuses].sort());
});

test('who may by the table is who owns the fields by default, and the system', () => {
  for (const name of requestedTransitions) {
    const { group, who } = factsOfTransition(name);
    // A correction takes dispatch: a driver speaks by reports.
    if (group === null || name === 'corrected') continue;
    assert.deepEqual([...who].sort(), [...defaultOwnership[group].write, 'system'].sort(), name);
  }
});

test('steps that are passed over are those between, in order', () => {
  assert.deepEqual(stepsBetween('pending', 'en_route'), []);
  assert.deepEqual(stepsBetween('pending', 'arrived'), ['en_route']);
  assert.deepEqual(stepsBetween('pending', 'completed'), ['en_route', 'arrived']);
  assert.deepEqual(stepsBetween('en_route', 'completed'), ['arrived']);
  assert.deepEqual(stepsBetween('arrived', 'completed'), []);
  assert.deepEqual(stepsBetween('pending', 'failed'), ['en_route'], 'that the driver arrived is not certain');
  assert.deepEqual(stepsBetween('arrived', 'failed'), []);
});

test('no job begins again as if nobody had taken it on, once it has ended', () => {
  for (const status of jobStatuses) {
    const follows: readonly string[] = jobStatusFollows[status];
    assert.ok(!follows.includes(status), `${status} follows itself`);
    if (isFinalJob(status)) for (const early of ['created', 'accepted']) assert.ok(!follows.includes(early), status);
  }
});

test('the drawing shows each transition of the table between its states', () => {
  const drawing = drawMachine();
  assert.match(drawing, /^stateDiagram-v2\n/);
  for (const name of transitionNames) assert.match(drawing, new RegExp(`: ${name}$`, 'm'));
  assert.match(drawing, /t_pending --> t_arrived: arrived/);
  assert.match(drawing, /j_created --> j_accepted: accepted/);
  const braces = [...drawing].filter((letter) => letter === '{').length;
  assert.equal(braces, [...drawing].filter((letter) => letter === '}').length);
});
