// Search by example: the segment of the address, and the segments that are most alike, as looping clips.

import { get, post, request } from '../api.js';
import { counted, frames } from '../format.js';
import { help, listen } from '../keys.js';
import { clip, frameImage, lazyImage, pauseButton, playerLink, searchLink } from '../clips.js';
import { element, message, noFeatures } from '../ui.js';
import { Decisions } from '../undo.js';

const STEP = 20; // matches at a time
const MOST = 200; // matches that the server gives
const KEYS = [
  ['A', 'accept'],
  ['1 to 9', 'accept as this class; above 9 type both digits'],
  ['R', 'reject'],
  ['Q, E', 'previous, next'],
  ['O', 'open in the player'],
  ['Ctrl+Z', 'undo; with Shift: redo'],
  ['?', 'show the keys'],
];

export async function show(container, { query }) {
  const [corpus, { labels }] = await Promise.all([get('corpus'), get('labels')]);
  const page = element('div', { class: 'stack' }, element('h1', {}, 'Search by example'));
  container.append(page);
  if (!corpus.feature) {
    page.append(noFeatures(corpus, 'Search needs'));
    return null;
  }
  if (query.video === undefined) {
    page.append(...examples(labels, corpus.classes));
    return null;
  }
  const segment = { video: query.video, start_frame: Number(query.start), end_frame: Number(query.end) };
  const same = (label) => Object.keys(segment).every((key) => label[key] === segment[key]);
  const search = new Search(segment, labels.find(same)?.label ?? null, corpus.classes);
  page.append(search.page);
  search.run();
  return listen(search.keys, { count: corpus.classes.length, onnumber: (number) => search.accept(corpus.classes[number - 1]) });
}

// The labels to choose an example from, of one class or of all.
function examples(labels, classes) {
  if (!labels.length) {
    return [
      element(
        'p',
        { class: 'empty' },
        'No labels yet: open a video of the ',
        element('a', { href: '#/library' }, 'library'),
        ', mark an action, and search for it from there.',
      ),
    ];
  }
  const list = element('ul', { class: 'cards examples' });
  const used = classes.filter((label) => labels.some((one) => one.label === label));
  const select = element('select', { id: 'class', onchange: refresh }, element('option', { value: '' }, 'all classes'));
  select.append(...used.map((label) => element('option', {}, label)));
  refresh();
  return [
    element('p', {}, 'Pick a label to find more of its kind in all videos, or select any segment in a video.'),
    element('div', { class: 'row' }, element('label', {}, 'Class', select)),
    list,
  ];

  function refresh() {
    list.replaceChildren(...labels.filter((one) => !select.value || one.label === select.value).map(example));
  }
}

function example(label) {
  const middle = frameImage(label.video, Math.floor((label.start_frame + label.end_frame) / 2), 180);
  return element(
    'li',
    { class: 'card' },
    lazyImage(middle, { class: 'view' }),
    element(
      'div',
      { class: 'text' },
      element('h2', {}, element('a', { class: 'whole', href: searchLink(label) }, label.label)),
      element('p', { class: 'muted numbers' }, `${label.video}, ${frames(label)}`),
    ),
  );
}

class Search {
  #cards = [];
  #current = 0;
  #limit = STEP;
  #decisions = new Decisions();

  constructor(segment, label, classes) {
    this.segment = segment;
    this.select = classSelect(classes, label);
    this.status = element('p', { role: 'status', class: 'numbers' });
    this.list = element('ol', { class: 'cards results', 'aria-label': 'Results, most alike first' });
    this.more = element('button', { type: 'button', onclick: () => this.run(this.#limit + STEP) }, 'Show more');
    this.more.hidden = true;
    const fresh = element('input', { type: 'checkbox', id: 'fresh', onchange: () => this.list.classList.toggle('fresh', fresh.checked) });
    const undo = element('button', { type: 'button', onclick: this.#decisions.undo }, 'Undo');
    const redo = element('button', { type: 'button', onclick: this.#decisions.redo }, 'Redo');
    this.page = element(
      'div',
      { class: 'beside' },
      element(
        'section',
        { class: 'query panel stack', 'aria-label': 'Example' },
        clip(segment, { height: 240, alt: `Example: ${segment.video}, ${frames(segment)}` }),
        element(
          'div',
          {},
          element('h2', {}, label ?? 'Example'),
          element('p', { class: 'muted numbers' }, `${segment.video}, ${frames(segment)}`),
          element('a', { href: playerLink(segment) }, 'Open in the player'),
          ' · ',
          element('a', { href: '#/search' }, 'Other example'),
        ),
        element('label', {}, 'Accept as', this.select),
        element('div', { class: 'row' }, undo, redo, pauseButton()),
        help(KEYS),
      ),
      element(
        'section',
        { class: 'stack', 'aria-label': 'Results' },
        element('div', { class: 'row ends' }, this.status, element('label', { class: 'check' }, fresh, 'Hide what has a label')),
        this.list,
        element('div', {}, this.more),
      ),
    );
  }

  get keys() {
    return {
      A: () => this.accept(this.select.value),
      R: () => this.reject(),
      E: () => this.#step(1),
      Q: () => this.#step(-1),
      O: () => this.#cards.length && location.assign(playerLink(this.#cards[this.#current].match)),
      'Ctrl+Z': this.#decisions.undo,
      'Ctrl+Shift+Z': this.#decisions.redo,
      'Ctrl+Y': this.#decisions.redo,
    };
  }

  async run(limit = STEP) {
    this.#limit = limit;
    this.status.classList.remove('error');
    this.status.textContent = 'Searching';
    this.list.setAttribute('aria-busy', 'true');
    this.more.disabled = true;
    try {
      const answer = await post('search', { ...this.segment, limit });
      const shown = new Map(this.#cards.map((card) => [keyOf(card.match), card]));
      const fresh = answer.matches.filter((match) => !shown.has(keyOf(match)));
      for (const match of fresh) {
        const index = this.#cards.length;
        const card = new Card(match, {
          select: () => this.#mark(index),
          accept: () => this.#mark(index) || this.accept(this.select.value),
          reject: () => this.#mark(index) || this.reject(),
        });
        this.#cards.push(card);
        this.list.append(card.item);
      }
      if (this.#cards.length) this.#mark(this.#current);
      this.more.hidden = answer.matches.length < limit || limit >= MOST;
      const seconds = answer.seconds.toFixed(2);
      const sources = Object.entries(answer.candidates_from)
        .filter(([, number]) => number)
        .map(([source, number]) => counted(number, source));
      this.status.textContent = this.#cards.length
        ? `${counted(this.#cards.length, 'result')}, nearest of ${counted(answer.num_candidates, 'segment')} (${sources.join(', ')}), ${seconds} s`
        : 'Nothing is left to show for this example: take another one.';
    } catch (error) {
      this.status.textContent = error.message;
      this.status.classList.add('error');
    }
    this.list.removeAttribute('aria-busy');
    this.more.disabled = false;
  }

  accept(label) {
    const card = this.#cards[this.#current];
    if (!card?.open) return;
    if (!label) return message('Choose the class first, or press its number', 'error');
    card.wait();
    const { video, start_frame, end_frame } = card.match;
    const change = (before, after) => post('labels', { changes: [{ before, after }] });
    let added = null;
    this.#decisions.make({
      text: `Labelled ${card.name} as ${label}`,
      redo: async () => ([added] = (await change(null, { video, start_frame, end_frame, label })).labels),
      undo: () => change(added, null),
      shown: (done) => card.decide(done ? 'accepted' : null, label),
    });
    this.#step(1);
  }

  reject() {
    const card = this.#cards[this.#current];
    if (!card?.open) return;
    card.wait();
    const { video, start_frame, end_frame } = card.match;
    const body = { query: this.segment, match: { video, start_frame, end_frame } };
    this.#decisions.make({
      text: `Rejected ${card.name}`,
      redo: () => post('search/reject', body),
      undo: () => request('DELETE', 'search/reject', body),
      shown: (done) => card.decide(done ? 'rejected' : null),
    });
    this.#step(1);
  }

  #mark(index) {
    this.#cards[this.#current]?.item.removeAttribute('aria-current');
    this.#current = Math.max(0, Math.min(index, this.#cards.length - 1));
    this.#cards[this.#current].item.setAttribute('aria-current', 'true');
  }

  // The next or previous card that is shown.
  #step(by) {
    let index = this.#current + by;
    while (this.#cards[index] && !this.#cards[index].item.checkVisibility()) index += by;
    if (this.#cards[index]) this.#mark(index);
    this.#cards[this.#current]?.item.focus();
  }
}

// The classes with their numbers; none is chosen where `chosen` is null.
function classSelect(classes, chosen) {
  const option = (label, index) => element('option', { value: label, selected: label === chosen }, `${index + 1} ${label}`);
  const none = chosen === null ? element('option', { value: '' }, 'choose a class') : null;
  return element('select', { id: 'as' }, none, ...classes.map(option));
}

const keyOf = ({ video, start_frame, end_frame }) => `${video} ${start_frame} ${end_frame}`;

// One match; `state` is 'open', 'busy' while a decision is on its way, 'accepted' or 'rejected'.
class Card {
  state = 'open';

  constructor(match, { select, accept, reject }) {
    this.match = match;
    this.name = `${match.video}, ${frames(match)}`;
    this.text = element('p', { class: 'state' });
    const button = (name, text, onclick) =>
      element('button', { type: 'button', class: name, 'aria-label': `${text} ${this.name}`, onclick }, text);
    this.accept = button('accept', 'Accept', accept);
    this.reject = button('reject', 'Reject', reject);
    this.item = element(
      'li',
      { class: `card ${match.label_from === 'label' ? 'known' : ''}`, tabindex: -1, onfocusin: select, onpointerdown: select },
      clip(match, { alt: `Clip of ${this.name}` }),
      element(
        'div',
        { class: 'text' },
        element('h2', {}, element('a', { href: playerLink(match) }, match.video)),
        element('p', { class: 'muted numbers' }, frames(match)),
        element('p', { class: 'numbers' }, `distance ${match.distance.toFixed(3)}`),
        this.text,
        element('div', { class: 'row' }, this.accept, this.reject),
      ),
    );
    this.decide(null);
  }

  get open() {
    return this.state === 'open' && this.match.label_from !== 'label';
  }

  wait() {
    this.state = 'busy';
    this.text.textContent = 'saving';
    this.accept.disabled = this.reject.disabled = true;
  }

  decide(state, label) {
    const { label: known, label_from: source } = this.match;
    this.state = state ?? 'open';
    this.item.classList.toggle('accepted', state === 'accepted');
    this.item.classList.toggle('rejected', state === 'rejected');
    this.text.textContent =
      state === 'accepted' ? `labelled ${label}` : state === 'rejected' ? 'rejected' : known ? `${source}: ${known}` : 'no label';
    this.accept.disabled = this.reject.disabled = !this.open;
  }
}
