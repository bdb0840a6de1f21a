// Small pieces of pages: elements, messages.

// element('button', {class: 'main', onclick: f, disabled: false}, 'text', child): attributes, listeners, children.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

// The notice of a corpus without features; `who`: 'Search needs'.
export const noFeatures = (corpus, who) =>
  element(
    'p',
    { class: 'notice' },
    `No features yet. ${who} those of a trained student: `,
    element('code', {}, `python tools/extract_features.py RUN_FOLDER --corpus ${corpus.folder} --out vpd`),
    ', then start the studio again.',
  );

// Show a line at the foot of the page; kind: 'info' or 'error'.
export function message(text, kind = 'info') {
  const line = element('p', { class: kind }, text);
  document.getElementById('messages').append(line);
  setTimeout(() => line.remove(), kind === 'error' ? 10000 : 4000);
}

// A value with its name, for a list of class 'figures'.
export const figure = (term, value) => element('div', {}, element('dt', {}, term), element('dd', {}, value));
