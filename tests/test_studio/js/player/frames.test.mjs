import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameLoader, plan } from '../../../../vpd_mm/studio/static/js/player/frames.js';
import { FrameTimes } from '../../../../vpd_mm/studio/static/js/player/times.js';

const times = new FrameTimes(1000, 25);
const settle = () => new Promise((go) => setImmediate(go));

test('frames both ways, more of them ahead, then the targets of jumps', () => {
  const forward = plan(times, 500, 1, 40);
  assert.deepEqual(forward.slice(0, 6), [501, 499, 502, 498, 503, 497]);
  for (const target of [525, 475, 625, 375]) assert.ok(forward.slice(0, 12).includes(target));
  assert.ok(Math.max(...forward.filter((n) => n < 525)) - 500 > 500 - Math.min(...forward.filter((n) => n > 475)));
  assert.ok(forward.length <= 40);
  assert.deepEqual(plan(times, 500, -1, 40).slice(0, 2), [499, 501]);
  assert.ok(plan(times, 0, 1, 40).every((n) => n > 0));
  assert.equal(new Set(forward).size, forward.length);
  assert.deepEqual(plan(new FrameTimes(1, 25), 0, 1, 40), []);
});

// A loader whose requests end when the test says so.
function manual(options) {
  const asked = [];
  const pending = new Map();
  const closed = [];
  const load = (frame, signal) =>
    new Promise((done, fail) => {
      asked.push(frame);
      pending.set(frame, () => done({ frame, close: () => closed.push(frame) }));
      signal.addEventListener('abort', () => {
        pending.delete(frame);
        fail(Object.assign(new Error('aborted'), { name: 'AbortError' }));
      });
    });
  const finish = async (frame) => {
    pending.get(frame)();
    pending.delete(frame);
    await settle();
  };
  return { loader: new FrameLoader({ load, ...options }), asked, pending, closed, finish };
}

test('the wanted frame is asked for at once, others while there is room', async () => {
  const { loader, asked, pending, finish } = manual({ parallel: 2 });
  const wanted = loader.want(5, [6, 4, 7]);
  assert.deepEqual(asked, [5, 6]);
  await finish(5);
  assert.equal((await wanted).frame, 5);
  assert.deepEqual(asked, [5, 6, 4]);
  const next = loader.want(6, [7, 5, 8]); // on its way already; 4 is not needed any more
  assert.deepEqual([...pending.keys()], [6, 7]);
  await finish(6);
  assert.equal((await next).frame, 6);
  assert.equal(loader.get(5).frame, 5);
  assert.equal(asked.filter((frame) => frame === 6).length, 1);
});

test('a jump cancels what is not needed', async () => {
  const { loader, pending } = manual({ parallel: 3 });
  const gone = loader.want(5, [6, 4]);
  loader.want(500, [501]).catch(() => {});
  await assert.rejects(gone, { name: 'AbortError' });
  assert.deepEqual([...pending.keys()], [500, 501]);
});

test('a frame that was cancelled is asked for again', async () => {
  const { loader, asked, finish } = manual({ parallel: 3 });
  loader.want(5).catch(() => {});
  loader.want(500).catch(() => {});
  const again = loader.want(5);
  await finish(5);
  assert.equal((await again).frame, 5);
  assert.deepEqual(asked, [5, 500, 5]);
});

test('the frames needed least are dropped, and closed', async () => {
  const { loader, closed, finish } = manual({ capacity: 3, parallel: 1 });
  for (const frame of [1, 2, 3]) {
    loader.want(frame);
    await finish(frame);
  }
  await loader.want(3, [1]); // 1 is needed again
  loader.want(4, [3, 1]);
  await finish(4);
  assert.deepEqual(closed, [2]);
  loader.close();
  assert.deepEqual(closed.sort(), [1, 2, 3, 4]);
});

test('a failed request is reported and can be repeated', async () => {
  let fails = true;
  const loader = new FrameLoader({ load: async (frame) => { if (fails) throw new Error('500'); return { frame, close() {} }; } });
  await assert.rejects(loader.want(1), /500/);
  fails = false;
  assert.equal((await loader.want(1)).frame, 1);
});
