import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameTimes, clock } from '../../../../vpd_mm/studio/static/js/player/times.js';

test('a constant rate: frame n starts at n / fps', () => {
  const times = new FrameTimes(300, 60000 / 1001);
  assert.equal(times.seconds(60), 60 / (60000 / 1001));
  for (let frame = 0; frame < 300; frame++) {
    assert.equal(times.at(times.seconds(frame)), frame);
    assert.equal(times.nearest(Math.round(times.seconds(frame) * 1000) / 1000), frame); // milliseconds of Matroska
  }
  assert.equal(times.at(99), 299);
  assert.equal(times.nearest(-1), 0);
});

test('a variable rate: frame n starts at its edge', () => {
  const times = new FrameTimes(4, 3 / 1.2, [0, 0.1, 0.2, 1.2, 1.3]);
  assert.deepEqual([0, 1, 2, 3, 4].map((frame) => times.seconds(frame)), [0, 0.1, 0.2, 1.2, 1.3]);
  assert.deepEqual([0, 0.09, 0.1, 0.7, 1.1999, 1.2, 5].map((seconds) => times.at(seconds)), [0, 0, 1, 2, 2, 3, 3]);
  assert.deepEqual([0.04, 0.06, 0.6, 0.8].map((seconds) => times.nearest(seconds)), [0, 1, 2, 3]);
});

test('jumps go at least one frame and stay within the video', () => {
  const times = new FrameTimes(100, 29.97);
  assert.equal(times.later(0, 1), 30);
  assert.equal(times.later(30, -1), 0);
  assert.equal(times.later(99, 5), 99);
  assert.equal(new FrameTimes(100, 0.1).later(10, 1), 11);
  assert.equal(new FrameTimes(100, 0.1).later(10, -1), 9);
});

test('a time stamp has three decimals', () => {
  const seconds = [0, 0.04, 59.9996, 61.5, 3723.4567];
  assert.deepEqual(seconds.map(clock), ['0:00.000', '0:00.040', '1:00.000', '1:01.500', '1:02:03.457']);
});
