import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scale, ticks } from '../../../../vpd_mm/studio/static/js/player/scale.js';
import { FrameTimes } from '../../../../vpd_mm/studio/static/js/player/times.js';

function scale(numFrames = 1000, width = 500) {
  return Object.assign(new Scale(numFrames), { width });
}

test('positions and frames', () => {
  const all = scale();
  assert.equal(all.x(1000), 500);
  assert.deepEqual([-5, 0, 250, 499, 600].map((x) => all.frame(x)), [0, 0, 500, 998, 999]);
});

test('zoom keeps the frame around which it zooms in its place', () => {
  const zoomed = scale();
  const x = zoomed.x(300);
  zoomed.zoom(4, 300);
  assert.equal(zoomed.end - zoomed.start, 250);
  assert.equal(zoomed.x(300), x);
  zoomed.zoom(1e6, 300);
  assert.equal(zoomed.end - zoomed.start, 10);
  zoomed.zoom(0, 300);
  assert.deepEqual([zoomed.start, zoomed.end], [0, 1000]);
});

test('pan and reveal stay within the video', () => {
  const zoomed = scale();
  zoomed.zoom(10, 500);
  zoomed.pan(1e6);
  assert.deepEqual([zoomed.start, zoomed.end], [900, 1000]);
  zoomed.reveal(950);
  assert.equal(zoomed.start, 900);
  zoomed.reveal(100);
  assert.deepEqual([zoomed.start, zoomed.end], [90, 190]);
});

test('a video of a few frames', () => {
  const short = scale(3);
  short.zoom(2, 1);
  assert.deepEqual([short.start, short.end], [0, 3]);
});

test('marks of the ruler lie at round seconds, apart from each other', () => {
  const times = new FrameTimes(1000, 25);
  const all = scale();
  const marks = ticks(all, times);
  assert.deepEqual(marks.map(({ seconds }) => seconds), [0, 10, 20, 30, 40]);
  assert.deepEqual(marks[1], { frame: 250, seconds: 10 });
  all.zoom(20, 500);
  const close = ticks(all, times);
  assert.ok(close.length >= 2 && close.every(({ frame }) => frame >= all.start - 1 && frame <= all.end + 1));
});
