import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classChange, counted, duration, frames, percent } from '../../../vpd_mm/studio/static/js/format.js';

test('numbers as people read them', () => {
  assert.deepEqual([0, 59.6, 61, 3600, 3725].map(duration), ['0:00', '1:00', '1:01', '1:00:00', '1:02:05']);
  assert.deepEqual([percent(0.284), percent(0.2841, 1), percent(0), percent(null)], ['28 %', '28.4 %', '0 %', '-']);
  assert.deepEqual([counted(1, 'label'), counted(0, 'label'), counted(2, 'class', 'classes'), counted(1234, 'label')], ['1 label', '0 labels', '2 classes', '1,234 labels']);
  assert.equal(frames({ start_frame: 3, end_frame: 9 }), 'frames 3 to 9');
});

test('a change of the classes in words', () => {
  assert.equal(classChange({ before: ['a'], after: ['a', 'b', 'c'] }), 'added class b, added class c');
  assert.equal(classChange({ before: ['a', 'b'], after: ['a', 'x'] }), 'renamed class b to x');
  assert.equal(classChange({ before: ['a', 'b'], after: ['a'] }), 'removed class b');
});
