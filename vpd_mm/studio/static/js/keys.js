// Names of keys, and the keys of a view.

import { element } from './ui.js';

const TYPED_INTO = 'input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]';

// 'Ctrl+Shift+ArrowLeft', 'A', '?'; '' for a key that does nothing here.  The command key of a Mac counts as Ctrl.
export function keyName({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  const control = ctrlKey || metaKey;
  if (altKey && (control || key.length > 1)) return '';
  if (key === ' ') return control || shiftKey ? '' : 'Space';
  const letter = /^[a-z]$/i.test(key);
  const shift = shiftKey && (letter || key.length > 1) ? 'Shift+' : '';
  return `${control ? 'Ctrl+' : ''}${shift}${letter ? key.toUpperCase() : key}`;
}

export const isField = (target) => Boolean(target?.closest?.(TYPED_INTO));

// Call `actions[key]` when a key is pressed outside of a field; `onnumber(n)` for class number n = 1..count.
// Keys are named by `keyName`; a number of two digits is typed within 0.7 s.  Returns the function that ends it.
export function listen(actions, { count = 0, onnumber = null } = {}) {
  let typed = '';
  let timer = 0;

  function finish() {
    clearTimeout(timer);
    const number = Number(typed);
    typed = '';
    if (number >= 1 && number <= count) onnumber(number);
  }

  function digit(key) {
    clearTimeout(timer);
    typed += key;
    if (Number(typed) * 10 > count || typed.length > 2) finish();
    else timer = setTimeout(finish, 700);
  }

  function pressed(event) {
    if (event.defaultPrevented || event.altKey || event.repeat || isField(event.target)) return;
    const key = keyName(event);
    if (onnumber && /^[0-9]$/.test(key)) digit(key);
    else if (actions[key]) actions[key]();
    else if (key === '?') document.querySelector('details.keys')?.toggleAttribute('open');
    else return;
    event.preventDefault();
  }

  document.addEventListener('keydown', pressed);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('keydown', pressed);
  };
}

// The keys of a view to read, as [key, what it does]; "?" opens and closes them.
export function help(lines) {
  const line = ([key, text]) => element('div', {}, element('dt', {}, element('kbd', {}, key)), element('dd', {}, text));
  return element('details', { class: 'keys' }, element('summary', {}, 'Keys'), element('dl', {}, ...lines.map(line)));
}
