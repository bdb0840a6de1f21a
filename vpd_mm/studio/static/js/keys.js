// Keys of a view.

import { element } from './ui.js';

// Call `actions[key]` when a key is pressed outside of a field; `onnumber(n)` for class number n = 1..count.
// A number of two digits is typed within 0.7 s.  Keys are those of `event.key` in lower case, 'ctrl+z', 'ctrl+shift+z'.
// Returns the function that ends it.
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
    if (event.defaultPrevented || event.altKey || event.repeat) return;
    if (event.target.closest('input:not([type=checkbox]):not([type=radio]), select, textarea, dialog')) return;
    const control = event.ctrlKey || event.metaKey;
    const key = `${control ? 'ctrl+' : ''}${control && event.shiftKey ? 'shift+' : ''}${event.key.toLowerCase()}`;
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
