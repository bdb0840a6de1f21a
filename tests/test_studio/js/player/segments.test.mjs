import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as segments from '../../../../vpd_mm/studio/static/js/player/segments.js';

const label = (start_frame, end_frame, more = {}) => ({
  action_id: `v:${start_frame}`, video: 'v', start_frame, end_frame, label: 'jump', split: 'train', note: '', ...more,
});

test('resized keeps one frame and stays within the video', () => {
  const span = { start_frame: 10, end_frame: 20 };
  assert.deepEqual(segments.resized(span, 'start_frame', 5, 100), { start_frame: 5, end_frame: 20 });
  assert.deepEqual(segments.resized(span, 'start_frame', 30, 100), { start_frame: 19, end_frame: 20 });
  assert.deepEqual(segments.resized(span, 'end_frame', 2, 100), { start_frame: 10, end_frame: 11 });
  assert.deepEqual(segments.resized(span, 'end_frame', 200, 100), { start_frame: 10, end_frame: 100 });
});

test('moved keeps the length', () => {
  const span = { start_frame: 10, end_frame: 20 };
  assert.deepEqual(segments.moved(span, -3, 100), { start_frame: 0, end_frame: 10 });
  assert.deepEqual(segments.moved(span, 95, 100), { start_frame: 90, end_frame: 100 });
});

test('split gives two labels that meet; the first keeps its id', () => {
  const [first, second] = segments.split(label(10, 20, { note: 'n' }), 14);
  assert.deepEqual(first, { before: label(10, 20, { note: 'n' }), after: label(10, 14, { note: 'n' }) });
  assert.equal(second.before, null);
  assert.match(second.after.action_id, /^v:[0-9a-f]{8}$/);
  assert.deepEqual({ ...second.after, action_id: '' }, label(14, 20, { note: 'n', action_id: '' }));
  for (const frame of [9, 10, 20, 21]) assert.deepEqual(segments.split(label(10, 20), frame), []);
});

test('merge spans all, joins notes and deletes the others', () => {
  const [a, b, c] = [label(30, 40, { note: 'x' }), label(10, 60, { note: 'y' }), label(20, 25, { note: 'x' })];
  assert.deepEqual(segments.merge([a, b, c]), [
    { before: b, after: { ...b, note: 'y; x' } },
    { before: c, after: null },
    { before: a, after: null },
  ]);
});

test('the inverse of a change takes it back, in the other order', () => {
  const changes = segments.split(label(10, 20), 14);
  const back = segments.inverse(changes);
  assert.deepEqual(back, [
    { before: changes[1].after, after: null },
    { before: label(10, 14), after: label(10, 20) },
  ]);
  assert.deepEqual(segments.inverse(back), changes);
});

test('an edit without effect is no change; an absent note is an empty one', () => {
  assert.deepEqual(segments.edit(label(10, 20), { end_frame: 20 }), []);
  assert.ok(segments.same({ a: 1 }, { a: 1, note: '' }));
  assert.ok(!segments.same({ a: 1 }, { a: 1, note: 'x' }));
  assert.ok(!segments.same({ a: 1 }, null));
});

test('segments that overlap have rows of their own', () => {
  const list = [label(0, 10), label(5, 15), label(10, 20), label(12, 13)];
  const { rowOf, count } = segments.rows(list);
  assert.deepEqual(list.map((one) => rowOf.get(one)), [0, 1, 0, 2]);
  assert.equal(count, 3);
  assert.equal(segments.rows([]).count, 1);
});
