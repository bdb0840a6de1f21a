// Dialogs of the player: the keys, and two values of one label.

import { element } from '../ui.js';
import { KEYS } from './keys.js';
import { idOf } from './segments.js';

const shown = (key) => ({ ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc' })[key] ?? key;

function keycaps(name) {
  const parts = name === '+' ? ['+'] : name.split('+');
  return parts.flatMap((part, index) => [index ? ' + ' : null, element('kbd', {}, shown(part))]);
}

// Open a dialog; resolves with the value of the button that closed it, '' for Esc.
function open(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      done(dialog.returnValue);
    });
  });
}

const form = (...children) => element('form', { method: 'dialog' }, ...children);

export function help() {
  const rows = KEYS.map(([keys, , , text]) => {
    const names = keys.flatMap((key, index) => [index ? ' or ' : null, ...keycaps(key)]);
    return element('tr', {}, element('td', {}, ...names), element('td', {}, text));
  });
  const dialog = element(
    'dialog',
    { class: 'key-table', 'aria-labelledby': 'help-title' },
    element('h2', { id: 'help-title' }, 'Keys'),
    element('p', {}, 'Timeline: drag an edge of a label, or a selected label; Shift + click selects several; Ctrl + wheel zooms, Shift + wheel moves.'),
    element('div', { class: 'scroll', tabindex: 0 }, element('table', {}, element('tbody', {}, ...rows))),
    form(element('button', { class: 'main', value: 'close' }, 'Close')),
  );
  return open(dialog);
}

function described(label) {
  if (!label) return element('p', { class: 'value' }, 'Deleted');
  const list = element('dl', { class: 'value' });
  const fields = [['Class', label.label], ['Frames', `${label.start_frame} to ${label.end_frame}`], ['Athlete', label.video], ['Note', label.note || '-']];
  for (const [title, value] of fields) list.append(element('dt', {}, title), element('dd', {}, value));
  return list;
}

// Which of two values to keep: [{mine, theirs}] -> 'mine' or 'theirs'.
export async function conflict(conflicts) {
  const pairs = conflicts.map(({ mine, theirs }) =>
    element(
      'div',
      { class: 'values', 'data-action-id': idOf({ before: mine, after: theirs }) },
      element('section', { class: 'mine' }, element('h3', {}, 'Yours'), described(mine)),
      element('section', { class: 'theirs' }, element('h3', {}, 'The other one, stored now'), described(theirs)),
    ),
  );
  const dialog = element(
    'dialog',
    { class: 'conflict', 'aria-labelledby': 'conflict-title' },
    element('h2', { id: 'conflict-title' }, 'This label was changed by another tab or tool'),
    ...pairs,
    form(
      element('button', { value: 'mine' }, 'Keep mine'),
      element('button', { value: 'theirs', class: 'main', autofocus: true }, 'Keep the other'),
    ),
  );
  return (await open(dialog)) === 'mine' ? 'mine' : 'theirs';
}
