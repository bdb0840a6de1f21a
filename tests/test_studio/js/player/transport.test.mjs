import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { FrameLoader } from '../../../../vpd_mm/studio/static/js/player/frames.js';
import { FrameTimes } from '../../../../vpd_mm/studio/static/js/player/times.js';
import { Transport } from '../../../../vpd_mm/studio/static/js/player/transport.js';

let transport;
let shown;
let callbacks;
let now;
let delays; // frame -> a promise that holds its image back
let errors;

// A screen of 60 Hz whose clock is the test's, and a browser that cannot play the file.
beforeEach(() => {
  shown = [];
  errors = [];
  callbacks = [];
  delays = new Map();
  now = 0;
  globalThis.requestAnimationFrame = (callback) => callbacks.push(callback);
  const load = async (frame) => {
    await delays.get(frame);
    if (frame === 77) throw new Error('damaged');
    return { frame, close() {} };
  };
  transport = new Transport({
    times: new FrameTimes(100, 25), loader: new FrameLoader({ load }), video: { pause() {} }, url: '',
    onShow: (frame, image) => shown.push(frame) && assert.equal(image.frame, frame),
    onState() {}, onError: (error) => errors.push(error.message),
  });
});

const settle = () => new Promise((go) => setImmediate(go));

async function run(seconds) {
  for (let k = 0; k < seconds * 60; k++) {
    now += 1000 / 60;
    callbacks.splice(0).forEach((callback) => callback(now));
    await settle();
  }
}

test('steps count from the last wish; only images that arrived are shown', async () => {
  let release;
  delays.set(2, new Promise((done) => (release = done)));
  await transport.seek(0);
  transport.step(1);
  transport.step(1);
  await settle();
  assert.deepEqual([transport.frame, transport.target], [1, 2]);
  release();
  await settle();
  assert.equal(transport.frame, 2);
  await transport.jump(1);
  assert.equal(transport.frame, 27);
  await transport.go(1e9);
  assert.equal(transport.frame, 99);
});

test('an image that arrives late does not replace a newer one', async () => {
  let release;
  delays.set(50, new Promise((done) => (release = done)));
  transport.seek(50);
  await transport.seek(0);
  await transport.seek(51);
  release();
  await settle();
  assert.equal(transport.frame, 51);
  assert.deepEqual(shown, [0, 51]);
});

test('a frame that cannot be shown is reported, and the number stays', async () => {
  await transport.seek(0);
  await transport.seek(77);
  assert.deepEqual([transport.frame, errors], [0, ['damaged']]);
});

test('slow motion shows every frame, at a tenth of the speed', async () => {
  await transport.seek(10);
  transport.setSpeed(0.1);
  await transport.play(1);
  await run(2);
  transport.pause();
  assert.ok(Math.abs(transport.frame - 15) <= 1, `${transport.frame}`);
  assert.deepEqual(shown.filter((frame, index) => frame !== shown[index - 1]), [...new Set(shown)].sort((a, b) => a - b));
});

test('backward and forward at full speed without a video that plays', async () => {
  await transport.seek(60);
  await transport.play(-1);
  await run(1);
  assert.ok(Math.abs(transport.frame - 35) <= 2, `${transport.frame}`);
  transport.shuttle(-1);
  assert.equal(transport.speed, 2);
  await run(1);
  assert.equal(transport.frame, 0);
  assert.equal(transport.playing, 0);
});

test('the end stops at the last frame, and playing starts again from the first', async () => {
  await transport.seek(95);
  await transport.play(1);
  await run(1);
  assert.deepEqual([transport.frame, transport.playing], [99, 0]);
  await transport.play(1);
  assert.equal(transport.frame, 0);
});

test('a loop stays within its segment', async () => {
  await transport.seek(0);
  transport.setLoop({ start_frame: 40, end_frame: 45 });
  await settle();
  shown.length = 0;
  await run(1);
  assert.deepEqual([...new Set(shown)].sort(), [40, 41, 42, 43, 44].filter((frame) => shown.includes(frame)));
  assert.ok(shown.filter((frame) => frame === 40).length >= 3, `${shown}`);
  transport.setLoop(null);
  await run(0.5);
  assert.ok(transport.frame > 45 || transport.frame >= 40);
  transport.pause();
  assert.equal(transport.playing, 0);
});

test('speeds go from 0.1 to 4', () => {
  transport.faster(-9);
  assert.equal(transport.speed, 0.1);
  transport.faster(1);
  assert.equal(transport.speed, 0.25);
  transport.faster(9);
  assert.equal(transport.speed, 4);
});
