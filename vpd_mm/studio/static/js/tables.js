// Tables, and what is wider than the page.

import { element } from './ui.js';

// A table of rows (tr); columns after the first are numbers.
export function table(heads, rows, attributes = {}) {
  const head = (text, index) => (text ? element('th', { scope: 'col', class: index ? 'number' : null }, text) : element('td', {}));
  return element('table', attributes, element('thead', {}, element('tr', {}, ...heads.map(head))), element('tbody', {}, ...rows));
}

// Content that scrolls sideways in its own box, which the keyboard reaches.
export const scrolled = (name, content) => element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': name }, content);
