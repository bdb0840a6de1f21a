import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Decisions } from '../../../vpd_mm/studio/static/js/undo.js';

let said;
let done;
beforeEach(() => {
  said = [];
  done = [];
  const line = (text) => ({ setAttribute() {}, append: (words) => said.push(words), remove() {} });
  globalThis.document = { createElement: line, getElementById: () => ({ append() {} }) };
  globalThis.setTimeout = () => 0;
});

const decision = (text, fails = false) => ({
  text,
  redo: async () => (fails ? Promise.reject(new Error(`no ${text}`)) : done.push(text)),
  undo: async () => done.splice(done.indexOf(text), 1),
  shown: (holds) => done.push(`${text} ${holds}`),
});

test('decisions are made in order, undone from the last and done again', async () => {
  const decisions = new Decisions();
  decisions.make(decision('a'));
  await decisions.make(decision('b'));
  assert.deepEqual(done, ['a', 'a true', 'b', 'b true']);
  await decisions.undo();
  assert.deepEqual(done, ['a', 'a true', 'b true', 'b false']);
  await decisions.redo();
  assert.deepEqual(done.slice(4), ['b', 'b true']);
  await decisions.undo();
  await decisions.make(decision('c'));
  await decisions.redo();
  assert.equal(said.at(-1), 'Nothing to redo'); // a new decision ends it
});

test('a decision that fails is not undone', async () => {
  const decisions = new Decisions();
  await decisions.make(decision('a', true));
  assert.deepEqual(done, ['a false']);
  assert.deepEqual(said, ['no a']);
  await decisions.undo();
  assert.equal(said.at(-1), 'Nothing to undo');
});
