import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { listen } from '../../../vpd_mm/studio/static/js/keys.js';

// Press keys in a page without fields; `field` is what `closest` finds.
function page(actions, options, field = null) {
  const listeners = new Set();
  globalThis.document = { addEventListener: (_, f) => listeners.add(f), removeEventListener: (_, f) => listeners.delete(f) };
  const end = listen(actions, options);
  const press = (key, more = {}) => {
    const event = { key, target: { closest: () => field }, prevented: false, preventDefault: () => (event.prevented = true), ...more };
    listeners.forEach((listener) => listener(event));
    return event.prevented;
  };
  return { press, end };
}

test('keys with control and shift, and those that are left to the browser', () => {
  const done = [];
  const { press, end } = page({ A: () => done.push('a'), 'Ctrl+Z': () => done.push('undo'), 'Ctrl+Shift+Z': () => done.push('redo') });
  assert.deepEqual(
    [press('A'), press('z', { ctrlKey: true }), press('Z', { metaKey: true, shiftKey: true }), press('x'), press('a', { altKey: true }), press('a', { repeat: true })],
    [true, true, true, false, false, false],
  );
  assert.deepEqual(done, ['a', 'undo', 'redo']);
  end();
  assert.equal(press('a'), false);
});

test('keys in a field are text', () => {
  const { press } = page({ A: () => assert.fail() }, {}, {});
  assert.equal(press('a'), false);
});

test('a number is complete at once where no longer one exists, and else after 0.7 s', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const numbers = [];
  const { press } = page({}, { count: 18, onnumber: (number) => numbers.push(number) });
  press('5');
  press('1');
  press('8');
  assert.deepEqual(numbers, [5, 18]);
  press('1');
  assert.deepEqual(numbers, [5, 18]);
  mock.timers.tick(700);
  assert.deepEqual(numbers, [5, 18, 1]);
  press('1');
  press('9'); // there are 18
  press('0');
  mock.timers.tick(700);
  assert.deepEqual(numbers, [5, 18, 1]);
  mock.timers.reset();
});
