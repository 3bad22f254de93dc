import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedChance } from './chance.ts';
import { drawDay } from './seeded-day.ts';
import { planDay, storyNames, tellStory } from './story.ts';

const MIDNIGHT = Date.parse('2026-11-19T00:00:00Z');
const dayOf = (seed: number, orders = 300) => drawDay(seedChance(seed), orders, MIDNIGHT, 'T-');

test('the same seed gives the same day and the same plan, another seed another one', () => {
  const plan = (seed: number) => planDay(dayOf(seed), seedChance(seed));
  assert.deepEqual(plan(1), plan(1));
  assert.notDeepEqual(plan(1), plan(2));
});

test('a day is plausible: times in order, windows after the order, each driver at one door at a time', () => {
  const day = dayOf(1);
  assert.equal(day.orders.length, 300);
  for (const { times, window, items } of day.orders) {
    const order = [times.created, times.assigned, times.picked_up, times.departed, times.arrived, times.completed];
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    assert.ok(window.start > times.created && window.end > window.start);
    assert.ok(items.length > 0 && items.every((item) => item.quantity > 0));
  }
  for (let driver = 0; driver < day.drivers; driver++) {
    const own = day.orders.filter((order) => order.driver === driver).sort((a, b) => a.times.arrived - b.times.arrived);
    for (const [index, order] of own.entries()) {
      assert.ok(order.times.arrived >= (own[index - 1]?.times.completed ?? 0), order.reference);
    }
  }
  assert.equal(new Set(day.orders.map((order) => order.reference)).size, 300);
});

test('the whole day is over within two days of its midnight, also a crowded one', () => {
  for (const orders of [1, 50, 2_000]) assert.ok(dayOf(3, orders).ends < MIDNIGHT + 2 * 86_400_000, String(orders));
});

test('steps come in the order of their time, each order begins with its creation and keeps its own order', () => {
  const day = dayOf(2);
  const plan = planDay(day, seedChance(2));
  const times = plan.steps.map((step) => step.at);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  for (const [index] of day.orders.entries()) {
    const own = plan.steps.filter((step) => step.order === index);
    assert.equal(own[0]?.does, 'create');
    assert.equal(own.filter((step) => step.does === 'create').length, 1);
  }
});

test('every story can be told of every order, with and without a pickup of its own', () => {
  const day = dayOf(5, 60);
  for (const order of day.orders) {
    for (const story of storyNames) {
      const told = tellStory(order, { story, proof: 'pin', chance: seedChance(1), drivers: day.drivers });
      assert.equal(told[0]?.does, 'create', story);
      const times = told.map((step) => step.at);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => a - b),
        story,
      );
      const ids = told.flatMap((step) => (step.does === 'transition' ? (step.body.client_event_id ?? []) : []));
      assert.equal(new Set(ids).size, ids.length, `${story}: a client_event_id stands for one event`);
    }
  }
});

test('all stories happen on a day of some size', () => {
  const plan = planDay(dayOf(1, 1_000), seedChance(1));
  assert.deepEqual([...new Set(plan.stories)].sort(), [...storyNames].sort());
});

test('a phone without signal reports late what happened on time', () => {
  const [order] = dayOf(1, 1).orders;
  assert.ok(order);
  const told = tellStory(order, { story: 'phone_without_signal', proof: 'none', chance: seedChance(1), drivers: 2 });
  const reports = told.filter((step) => step.does === 'transition' && step.body.report === true);
  assert.ok(reports.length >= 3);
  for (const step of reports) assert.ok(step.at > order.times.completed);
  const happened = reports.map((step) => (step.does === 'transition' ? step.occurred : 0));
  assert.ok(happened.every((at) => at <= order.times.completed));
});
