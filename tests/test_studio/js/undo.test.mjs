import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Decisions, UndoStack } from '../../../vpd_mm/studio/static/js/undo.js';

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

test('an undo that fails can be tried again', async () => {
  const decisions = new Decisions();
  let broken = true;
  await decisions.make({ ...decision('a'), undo: async () => (broken ? Promise.reject(new Error('no undo')) : done.push('undone')) });
  await decisions.undo();
  assert.equal(said.at(-1), 'no undo');
  broken = false;
  await decisions.undo();
  assert.deepEqual(done, ['a', 'a true', 'undone', 'a false']);
});

test('steps go back and forth; a new one ends redo', () => {
  const stack = new UndoStack();
  ['a', 'b', 'c'].forEach((step) => stack.push(step));
  assert.deepEqual([stack.undo(), stack.undo(), stack.redo()], ['c', 'b', 'b']);
  assert.ok(stack.canUndo && stack.canRedo);
  stack.push('d');
  assert.equal(stack.redo(), undefined);
  stack.change((steps) => steps.filter((step) => step !== 'd').map((step) => step.toUpperCase()));
  assert.deepEqual([stack.undo(), stack.undo(), stack.undo()], ['B', 'A', undefined]);
  assert.ok(!stack.canUndo);
});
