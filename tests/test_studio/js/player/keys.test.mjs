import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYS, commandOf } from '../../../../vpd_mm/studio/static/js/player/keys.js';

// An element that matches some of the names in selectors.
const inside = (...tags) => ({ closest: (selector) => tags.some((tag) => selector.split(/, /).some((part) => part.replace(/[:[].*/, '') === tag)) });
const page = { closest: () => null };
const press = (key, { target = page, code = '', ...modifiers } = {}) =>
  commandOf({ key, code, target, ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...modifiers });
const ctrlKey = true;
const shiftKey = true;

test('the keys of the player', () => {
  const expected = [
    [' ', {}, 'toggle', null], ['ArrowLeft', {}, 'step', -1], ['ArrowRight', {}, 'step', 1],
    ['ArrowLeft', { ctrlKey }, 'jump', -1], ['ArrowRight', { ctrlKey }, 'jump', 1],
    ['ArrowLeft', { ctrlKey, shiftKey }, 'jump', -5], ['ArrowRight', { ctrlKey, shiftKey }, 'jump', 5],
    ['ArrowRight', { metaKey: true }, 'jump', 1],
    ['i', {}, 'mark', 'start_frame'], ['o', {}, 'mark', 'end_frame'], ['I', {}, 'mark', 'start_frame'],
    ['1', {}, 'class', 0], ['9', {}, 'class', 8], ['&', { code: 'Digit1' }, 'class', 0], ['4', { code: 'Numpad4' }, 'class', 3],
    ['a', {}, 'add', null], ['Escape', {}, 'cancel', null],
    ['j', {}, 'shuttle', -1], ['k', {}, 'pause', null], ['l', {}, 'shuttle', 1],
    ['<', { shiftKey }, 'speed', -1], ['>', { shiftKey }, 'speed', 1], ['p', {}, 'loop', null],
    ['z', { ctrlKey }, 'undo', null], ['Z', { ctrlKey, shiftKey }, 'redo', null], ['y', { ctrlKey }, 'redo', null],
    ['?', { shiftKey }, 'help', null],
  ];
  for (const [key, modifiers, ...command] of expected) assert.deepEqual(press(key, modifiers), command, key);
});

test('keys of the browser stay the browser\'s', () => {
  for (const [key, modifiers] of [['a', { ctrlKey }], ['ArrowLeft', { altKey: true }], ['l', { ctrlKey }], ['1', { ctrlKey }], ['Tab', {}], ['F5', {}], ['?', { shiftKey, ctrlKey }]]) {
    assert.equal(press(key, modifiers), null, key);
  }
  assert.equal(press('!', { shiftKey, code: 'Digit1' }), null);
  assert.equal(press('ArrowLeft', { code: 'Numpad4' })[0], 'step'); // without Num Lock
});

test('keys typed into fields do nothing', () => {
  for (const key of [' ', 'ArrowLeft', 'i', '1', 'a', 'Delete']) {
    for (const tag of ['input', 'textarea', 'select']) assert.equal(press(key, { target: inside(tag) }), null, `${key} ${tag}`);
  }
  assert.equal(press('z', { ctrlKey, target: inside('textarea') }), null);
});

test('Space presses the button in focus; other keys work there', () => {
  assert.equal(press(' ', { target: inside('button') }), null);
  assert.deepEqual(press('ArrowRight', { target: inside('button') }), ['step', 1]);
});

test('no key has two meanings', () => {
  const keys = KEYS.flatMap(([names]) => names);
  assert.equal(new Set(keys).size, keys.length);
});
