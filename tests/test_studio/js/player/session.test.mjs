import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LabelStore } from '../../../../vpd_mm/studio/static/js/player/labels.js';
import { Session } from '../../../../vpd_mm/studio/static/js/player/session.js';

let session;
let said;
let frame;

// A session with the labels v 10..20 jump and v 30..40 turn, w 0..5 jump; the server keeps everything.
beforeEach(async () => {
  const label = (action_id, video, start_frame, end_frame, name) => ({ action_id, video, start_frame, end_frame, label: name, note: '' });
  const stored = [label('a', 'v', 10, 20, 'jump'), label('b', 'v', 30, 40, 'turn'), label('c', 'w', 0, 5, 'jump')];
  const api = {
    get: async (path) => ({ version: 1, labels: stored.filter(({ video }) => path.endsWith(video)) }),
    post: async (path, { changes }) => ({ version: 2, labels: changes.map(({ after }) => after) }),
  };
  const store = new LabelStore({ videos: ['v', 'w'], api, onChange() {} });
  await store.load();
  said = [];
  frame = 0;
  session = new Session({
    numFrames: 100, athletes: ['v', 'w'], active: 'v', classes: ['jump', 'turn'], store,
    say: (text) => said.push(text), onChange() {}, frameOf: () => frame,
  });
});

const spans = (video = 'v') => session.store.of(video).map((one) => [one.start_frame, one.end_frame, one.label]).sort((a, b) => a[0] - b[0]);

test('I, O, number, A: a label from the first to the last frame that was shown', () => {
  frame = 50;
  session.mark('start_frame');
  frame = 59;
  session.mark('end_frame');
  session.setClass('turn');
  session.add();
  assert.deepEqual(spans().at(-1), [50, 60, 'turn']);
  assert.equal(session.single, null);
  frame = 70; // the class stays, the end is this frame
  session.mark('start_frame');
  frame = 72;
  session.add();
  assert.deepEqual(spans().at(-1), [70, 73, 'turn']);
});

test('a label goes to the active athlete', () => {
  session.athlete(1);
  session.setClass('jump');
  session.mark('start_frame');
  session.add();
  assert.deepEqual(spans('w'), [[0, 5, 'jump'], [0, 1, 'jump']]);
  session.athlete(1);
  assert.equal(session.active, 'v');
});

test('A says what is missing', () => {
  session.add();
  frame = 5;
  session.mark('start_frame');
  session.add();
  frame = 3;
  session.setClass('jump');
  session.add();
  assert.equal(said.length, 3);
  assert.equal(spans().length, 2);
});

test('a mark across the other one starts anew', () => {
  frame = 50;
  session.mark('end_frame');
  frame = 60;
  session.mark('start_frame');
  assert.deepEqual(session.draft, { start_frame: 60, end_frame: null });
});

test('marks and numbers change the selected label', () => {
  session.select(session.store.labels.get('a'));
  frame = 12;
  session.mark('start_frame');
  frame = 17;
  session.mark('end_frame');
  session.setClass('turn');
  assert.deepEqual(spans()[0], [12, 18, 'turn']);
  frame = 80;
  session.mark('start_frame');
  assert.equal(said.length, 1);
  assert.deepEqual(spans()[0], [12, 18, 'turn']);
});

test('split at the frame, merge with the next, delete', () => {
  session.select(session.store.labels.get('a'));
  frame = 14;
  session.split();
  assert.deepEqual(spans(), [[10, 14, 'jump'], [14, 20, 'jump'], [30, 40, 'turn']]);
  session.merge();
  assert.deepEqual(spans(), [[10, 20, 'jump'], [30, 40, 'turn']]);
  session.select(session.store.labels.get('b'), true);
  session.merge();
  assert.deepEqual(spans(), [[10, 40, 'jump']]);
  session.remove();
  assert.deepEqual(spans(), []);
  session.store.undo();
  session.store.undo();
  assert.deepEqual(spans(), [[10, 20, 'jump'], [30, 40, 'turn']]);
});

test('what cannot be split or merged is said', () => {
  session.split();
  session.merge();
  session.select(session.store.labels.get('a'));
  frame = 10;
  session.split();
  session.select(session.store.labels.get('c'), true);
  session.merge();
  assert.equal(said.length, 4);
  assert.equal(spans().length, 2);
});

test('a prediction is accepted as it is, or with another class', () => {
  const prediction = { video: 'v', start_frame: 60, end_frame: 70, label: 'turn', score: 0.9 };
  session.selectPrediction(prediction);
  session.add();
  assert.deepEqual(spans().at(-1), [60, 70, 'turn']);
  session.selectPrediction({ ...prediction, start_frame: 65 });
  session.setClass('jump');
  session.add();
  assert.deepEqual(spans().at(-1), [65, 70, 'jump']);
});

test('neighbours in time, and cancel', () => {
  frame = 15;
  assert.equal(session.neighbour(1).action_id, 'b');
  assert.equal(session.neighbour(-1).action_id, 'a');
  assert.equal(session.neighbour(-1), null);
  assert.ok(session.cancel());
  assert.ok(!session.cancel());
});

test('typed values are checked', () => {
  const label = session.store.labels.get('a');
  for (const fields of [{ start_frame: 20 }, { end_frame: 101 }, { start_frame: -1 }, { end_frame: NaN }, { start_frame: 1.5 }]) {
    assert.ok(!session.edit(label, fields), JSON.stringify(fields));
  }
  assert.ok(session.edit(label, { end_frame: 100 }));
  assert.deepEqual(spans()[0], [10, 100, 'jump']);
});

test('the segment of a loop: selection, marks, or the label at this frame', () => {
  assert.equal(session.segment, null);
  frame = 35;
  assert.equal(session.segment.action_id, 'b');
  session.draft = { start_frame: 1, end_frame: 3 };
  assert.deepEqual(session.segment, { video: 'v', start_frame: 1, end_frame: 3 });
  session.select(session.store.labels.get('a'));
  assert.equal(session.segment.action_id, 'a');
});
