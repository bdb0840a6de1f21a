import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LabelStore } from '../../../../vpd_mm/studio/static/js/player/labels.js';
import { add, edit, merge, remove, same, split } from '../../../../vpd_mm/studio/static/js/player/segments.js';

const label = (id, start_frame, end_frame, name = 'jump') => ({
  action_id: id, video: 'v', start_frame, end_frame, label: name, split: 'train', note: '',
});

// A server as docs describe it: changes are compared with what is stored, all are made or none.
class Server {
  constructor(...labels) {
    this.stored = new Map(labels.map((one) => [one.action_id, one]));
    this.version = 1;
    this.posts = [];
    this.fail = []; // of the next posts: {status}, or 'lost': stored, but the answer does not arrive
  }

  get = async () => ({ version: this.version, classes: ['jump', 'turn'], labels: [...this.stored.values()], problems: [] });

  post = async (path, { changes }) => {
    assert.equal(path, 'labels');
    this.posts.push(changes);
    const failure = this.fail.shift();
    if (failure && failure !== 'lost') throw Object.assign(new Error('refused'), failure);
    const next = new Map(this.stored);
    const made = changes.map(({ before, after }) => {
      const current = next.get((before ?? after).action_id) ?? null;
      if (before ? !current || JSON.stringify(Object.entries(current).sort()) !== JSON.stringify(Object.entries(before).sort()) : current) {
        throw Object.assign(new Error('conflict'), { status: 409, body: { current } });
      }
      if (before) next.delete(before.action_id);
      const value = after && { note: '', split: 'test', ...before, ...after };
      if (value) next.set(value.action_id, value);
      return value;
    });
    this.stored = next;
    this.version++;
    if (failure === 'lost') throw new TypeError('Failed to fetch');
    return { version: this.version, labels: made };
  };

  // Another writer.
  write(one) {
    this.stored.set(one.action_id, one);
    this.version++;
  }
}

async function open(server, answer = 'theirs') {
  const asked = [];
  const errors = [];
  const store = new LabelStore({
    videos: ['v'], api: server, onChange: () => {}, onError: (line) => errors.push(line), wait: async () => {},
    onConflict: async (conflicts) => asked.push(conflicts) && answer,
  });
  await store.load();
  const done = async () => {
    for (let k = 0; k < 200 && (store.pending || store.state !== 'saved'); k++) await new Promise((go) => setImmediate(go));
    assert.equal(store.pending, 0);
    assert.deepEqual([...store.labels.values()].sort(byId), [...server.stored.values()].sort(byId));
  };
  return { store, asked, errors, done };
}

const byId = (a, b) => a.action_id.localeCompare(b.action_id);

test('changes show at once, are saved in order, undone and redone', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, done } = await open(server);
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  store.change(split(store.labels.get('a'), 6));
  store.change(add({ video: 'v', start_frame: 20, end_frame: 30, label: 'turn' }));
  assert.equal(store.of('v').length, 3);
  assert.equal(store.state, 'saving');
  await done();
  assert.equal(server.posts.length, 3);
  store.change(edit(store.of('v').find((one) => one.label === 'turn'), { note: 'good' })); // the server gave it a split
  await done();
  const all = [...server.stored.values()];
  for (let k = 0; k < 4; k++) assert.ok(store.undo());
  assert.ok(!store.undo());
  await done();
  assert.deepEqual([...server.stored.values()], [label('a', 0, 10)]);
  for (let k = 0; k < 4; k++) assert.ok(store.redo());
  await done();
  assert.deepEqual([...server.stored.values()].sort(byId), all.sort(byId));
  store.change(merge(store.of('v').filter((one) => one.label === 'jump')));
  store.change(remove(store.of('v').filter((one) => one.label === 'turn')));
  await done();
  assert.deepEqual([...server.stored.values()], [label('a', 0, 12)]);
});

test('a conflict shows both values; the other one can be kept', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, asked, done } = await open(server, 'theirs');
  server.write(label('a', 0, 99));
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  store.change(edit(store.labels.get('a'), { note: 'x' })); // builds on the change that is given up
  await done();
  assert.deepEqual(asked, [[{ mine: label('a', 0, 12), theirs: label('a', 0, 99) }]]);
  assert.equal(server.stored.get('a').end_frame, 99);
  assert.ok(!store.canUndo);
});

test('or mine, after which later changes follow', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, asked, done } = await open(server, 'mine');
  server.write(label('a', 0, 99));
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  store.change(edit(store.labels.get('a'), { note: 'x' }));
  await done();
  assert.equal(asked.length, 1);
  assert.deepEqual(server.stored.get('a'), { ...label('a', 0, 12), note: 'x' });
});

test('a label that another writer deleted can be kept or given up', async () => {
  for (const [answer, left] of [['mine', 1], ['theirs', 0]]) {
    const server = new Server(label('a', 0, 10));
    const { store, asked, done } = await open(server, answer);
    server.stored.delete('a');
    server.version++;
    store.change(edit(store.labels.get('a'), { end_frame: 12 }));
    await done();
    assert.equal(asked[0][0].theirs, null);
    assert.equal(server.stored.size, left);
  }
});

test('undo of a change that another writer has changed since is a conflict', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, asked, done } = await open(server, 'theirs');
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  await done();
  server.write(label('a', 3, 12));
  assert.equal(await store.refresh(), 1);
  store.undo();
  await done();
  assert.equal(asked.length, 1);
  assert.equal(server.stored.get('a').start_frame, 3);
});

test('a server that does not answer is asked again; a change whose answer was lost is not made twice', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, asked, done } = await open(server);
  server.fail = [{ status: 500 }, {}, 'lost'];
  store.change(add({ video: 'v', start_frame: 20, end_frame: 30, label: 'turn' }));
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  await done();
  assert.deepEqual(asked, []);
  assert.equal(server.stored.size, 2);
});

test('a refused change is taken back with its reason', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, errors, done } = await open(server);
  server.fail = [{ status: 400 }];
  store.change(edit(store.labels.get('a'), { label: 'unknown' }));
  await done();
  assert.deepEqual(errors, ['refused']);
  assert.equal(store.labels.get('a').label, 'jump');
  assert.ok(!store.canUndo);
});

test('changes of others appear, but not over changes that are on their way', async () => {
  const server = new Server(label('a', 0, 10));
  const { store, done } = await open(server);
  assert.equal(await store.refresh(), 0);
  server.write(label('b', 5, 6));
  assert.equal(await store.refresh(), 1);
  assert.equal(store.labels.size, 2);
  server.write(label('c', 7, 8));
  store.change(edit(store.labels.get('a'), { end_frame: 12 }));
  assert.equal(await store.refresh(), 0);
  for (let k = 0; store.pending && k < 100; k++) await new Promise((go) => setImmediate(go));
  assert.equal(await store.refresh(), 1);
  await done();
});
