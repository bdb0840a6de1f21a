import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UndoStack } from '../../../vpd_mm/studio/static/js/player/undo.js';

const change = (id, from, to) => [{ before: { action_id: id, label: from }, after: { action_id: id, label: to } }];

test('undo and redo go back and forth; a new change ends redo', () => {
  const stack = new UndoStack();
  stack.push(change('a', 'x', 'y'));
  stack.push(change('a', 'y', 'z'));
  assert.deepEqual(stack.undo(), change('a', 'z', 'y'));
  assert.deepEqual(stack.undo(), change('a', 'y', 'x'));
  assert.equal(stack.undo(), null);
  assert.deepEqual(stack.redo(), change('a', 'x', 'y'));
  assert.ok(stack.canUndo && stack.canRedo);
  stack.push(change('b', 'x', 'y'));
  assert.equal(stack.redo(), null);
});

test('forget drops what touches a label, rename follows a class', () => {
  const stack = new UndoStack();
  stack.push(change('a', 'x', 'y'));
  stack.push(change('b', 'x', 'y'));
  stack.forget(new Set(['b']));
  stack.rename('x', 'new');
  assert.deepEqual(stack.undo(), change('a', 'y', 'new'));
  assert.ok(!stack.canUndo);
});
