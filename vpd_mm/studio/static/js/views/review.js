// Review queue: one prediction at a time, those that teach most first.

import { get, post, request } from '../api.js';
import { lineChart } from '../chart.js';
import { counted, frames, percent } from '../format.js';
import { help, listen } from '../keys.js';
import { clip, frameImage, pauseButton, playerLink, searchLink } from '../clips.js';
import { scrolled, table } from '../tables.js';
import { element } from '../ui.js';
import { Decisions } from '../undo.js';

const ORDERS = {
  informative: 'what teaches most',
  uncertain: 'least certain',
  disagreement: 'models disagree',
  diverse: 'unlike the labels',
  rare: 'rare classes',
  confident: 'most certain',
  time: 'video and time',
};
const LIMIT = 200; // predictions at a time
const STRIP = 8; // frames below the clip
const IDLE = 120; // seconds after which a person is not counted as working on a prediction
const KEYS = [
  ['A', 'accept'],
  ['R', 'reject: this is no action'],
  ['1 to 9', 'correct to this class; above 9 type both digits'],
  ['Q, E', 'previous, next'],
  ['O', 'open in the player'],
  ['Ctrl+Z', 'undo; with Shift: redo'],
  ['?', 'show the keys'],
];
const DONE = { accept: 'accepted', reject: 'rejected', correct: 'corrected' };

export async function show(container, { query }) {
  const order = query.order in ORDERS ? query.order : 'informative';
  const [corpus, queue, curve] = await Promise.all([get('corpus'), get(`review?order=${order}&limit=${LIMIT}`), get('review/curve')]);
  if (!queue.length) {
    container.append(element('div', { class: 'stack' }, element('h1', {}, 'Review'), nothing(curve), progressOf(curve)));
    return null;
  }
  const review = new Review(corpus.classes, queue, order, curve);
  container.append(review.page);
  review.go(0);
  return listen(review.keys, { count: corpus.classes.length, onnumber: (number) => review.decideClass(corpus.classes[number - 1]) });
}

function nothing({ points }) {
  const first = points.length ? 'No predictions are left to review: ' : 'No predictions to review: label at least two actions of each class and ';
  const link = element('a', { href: '#/train' }, points.length ? 'train again' : 'train');
  return element('p', { class: 'empty' }, first, link, '; predictions of all videos then appear here.');
}

class Review {
  #decisions = new Decisions();
  #index = 0;
  #since = 0;

  constructor(classes, queue, order, curve) {
    this.classes = classes;
    this.curve = curve;
    const reload = () => window.dispatchEvent(new HashChangeEvent('hashchange'));
    this.next = element('button', { type: 'button', class: 'main', onclick: reload, hidden: true }, 'Show the next predictions');
    this.learned = scrolled('Labels by class', '');
    this.items = queue.map((prediction) => ({ prediction, state: null, label: null }));
    const button = (name, text, key, onclick, number) =>
      element('button', { type: 'button', class: name, onclick, 'aria-keyshortcuts': key }, text, element('kbd', { 'aria-hidden': 'true' }, number ?? key));
    this.clip = element('div', { class: 'clips' });
    this.strip = element('div', { class: 'strip' });
    this.label = element('h2', { class: 'predicted' });
    this.chance = element('p', { class: 'numbers' });
    this.reason = element('p', { class: 'muted' });
    this.where = element('p', { class: 'muted numbers' });
    this.state = element('p', { role: 'status', class: 'state' });
    this.counts = element('p', { class: 'numbers', role: 'status' });
    this.accept = button('accept', 'Accept', 'A', () => this.decide('accept'));
    this.reject = button('reject', 'Reject', 'R', () => this.decide('reject'));
    this.choices = classes.map((label, index) => {
      const share = element('span', { class: 'muted numbers' });
      return { label, share, button: element('button', { type: 'button', onclick: () => this.decideClass(label) }, element('kbd', {}, index + 1), element('span', {}, label), share) };
    });
    const select = element('select', { id: 'order', onchange: () => location.assign(`#/review?order=${select.value}`) });
    for (const [value, text] of Object.entries(ORDERS)) select.append(element('option', { value, selected: value === order }, text));
    this.page = element(
      'div',
      { class: 'stack' },
      element('div', { class: 'row ends' }, element('h1', {}, 'Review'), element('label', {}, 'Order', select)),
      element(
        'div',
        { class: 'review' },
        element(
          'section',
          { class: 'stack', 'aria-label': 'Prediction' },
          element('div', {}, this.clip, this.strip),
          element('div', {}, this.where, this.label, this.chance, this.reason, this.state),
          element(
            'div',
            { class: 'decide' },
            this.accept,
            this.reject,
            button('', 'Previous', 'Q', () => this.go(this.#index - 1)),
            button('', 'Next', 'E', () => this.go(this.#index + 1)),
          ),
        ),
        element(
          'div',
          { class: 'stack' },
          element(
            'section',
            { class: 'panel stack' },
            element('h2', {}, 'Correct the class'),
            element('div', { class: 'corrections' }, ...this.choices.map((choice) => choice.button)),
          ),
          element(
            'section',
            { class: 'panel stack' },
            element('h2', {}, 'Learned'),
            this.counts,
            element('details', {}, element('summary', {}, 'Labels by class'), this.learned),
            element(
              'div',
              { class: 'row' },
              button('', 'Undo', 'Control+Z', this.#decisions.undo, 'Ctrl+Z'),
              button('', 'Redo', 'Control+Shift+Z', this.#decisions.redo, 'Ctrl+Shift+Z'),
              pauseButton(),
              this.next,
              element('a', { class: 'button', href: '#/train' }, 'Train again'),
            ),
            help(KEYS),
            progressOf(curve),
          ),
        ),
      ),
    );
  }

  get keys() {
    return {
      A: () => this.decide('accept'),
      R: () => this.decide('reject'),
      E: () => this.go(this.#index + 1),
      Q: () => this.go(this.#index - 1),
      O: () => location.assign(playerLink(this.items[this.#index].prediction)),
      'Ctrl+Z': this.#decisions.undo,
      'Ctrl+Shift+Z': this.#decisions.redo,
      'Ctrl+Y': this.#decisions.redo,
    };
  }

  go(index) {
    this.#index = Math.max(0, Math.min(index, this.items.length - 1));
    this.#since = performance.now();
    const { prediction } = this.items[this.#index];
    const { video, start_frame, end_frame, label, score, scores, reason } = prediction;
    this.clip.replaceChildren(clip(prediction, { height: 360, alt: `Clip of ${video}, ${frames(prediction)}` }));
    const inds = Array.from({ length: STRIP }, (_, step) => Math.floor(start_frame + ((end_frame - start_frame) * (step + 0.5)) / STRIP));
    this.strip.replaceChildren(...inds.map((frame) => element('img', { src: frameImage(video, frame, 120), alt: '', width: 120, height: 120 })));
    this.label.textContent = label;
    this.chance.textContent = `${percent(score)} probable`;
    this.reason.textContent = reason ? `Why this one: ${reason}` : '';
    this.where.replaceChildren(
      `${this.#index + 1} of ${this.items.length}: `,
      element('a', { href: playerLink(prediction) }, video),
      `, ${frames(prediction)} · `,
      element('a', { href: searchLink(prediction) }, 'Search for similar'),
    );
    for (const choice of this.choices) {
      const share = scores?.[choice.label];
      choice.share.textContent = share >= 0.01 ? percent(share) : '';
      choice.button.setAttribute('aria-pressed', choice.label === label);
    }
    const next = this.items[this.#index + 1]?.prediction;
    if (next) new Image().src = clip(next, { height: 360 }).dataset.src; // made while a person looks at this one
    this.#refresh();
  }

  decideClass(label) {
    this.decide(label === this.items[this.#index].prediction.label ? 'accept' : 'correct', label);
  }

  decide(decision, label = null) {
    const index = this.#index;
    const item = this.items[index];
    if (item.state) return;
    const { prediction } = item;
    const { video, start_frame, end_frame } = prediction;
    const body = { prediction: { video, start_frame, end_frame, label: prediction.label }, decision, seconds: this.#seconds() };
    if (decision === 'correct') body.label = label;
    item.state = 'busy';
    let made = null;
    this.#decisions.make({
      text: decision === 'reject' ? `Rejected ${prediction.label}` : `Labelled ${label ?? prediction.label}`,
      redo: async () => (made = await post('review', body)),
      undo: () => request('DELETE', 'review', { review_id: made.review.review_id, label: made.label }),
      shown: (done) => {
        Object.assign(item, { state: done ? decision : null, label: label ?? prediction.label });
        if (done) this.#refresh();
        else this.go(index);
      },
    });
    const open = (step) => !this.items[step].state;
    const order = [...this.items.keys()];
    this.go(order.slice(index).find(open) ?? order.find(open) ?? index);
  }

  // Seconds of work on this prediction.
  #seconds() {
    return Math.min(IDLE, Math.round(performance.now() - this.#since) / 1000);
  }

  #refresh() {
    const { state, label } = this.items[this.#index];
    const decided = Boolean(state);
    this.state.textContent = state in DONE ? `${DONE[state]}${state === 'correct' ? ` to ${label}` : ''}` : '';
    this.accept.disabled = this.reject.disabled = decided;
    for (const choice of this.choices) choice.button.disabled = decided;
    const { decisions, learned } = this.curve;
    const all = (which) => (decisions[which] ?? 0) + this.items.filter((item) => item.state === which).length;
    const left = this.items.filter((item) => !item.state).length;
    this.counts.textContent =
      `${all('accept')} accepted, ${all('correct')} corrected, ${all('reject')} rejected; ` +
      (left ? `${left} left.` : 'nothing is left here.');
    this.next.hidden = left > 0 || this.items.length < LIMIT;
    const labels = new Map(Object.entries(learned));
    for (const item of this.items.filter((one) => one.state === 'accept' || one.state === 'correct')) {
      labels.set(item.label, (labels.get(item.label) ?? 0) + 1);
    }
    const row = (label) => element('tr', {}, element('th', { scope: 'row' }, label), element('td', { class: 'number' }, labels.get(label)));
    this.learned.replaceChildren(table(['Class', 'Labels'], this.classes.filter((label) => labels.has(label)).map(row)));
  }
}

// Accuracy against minutes of work.
function progressOf({ points }) {
  if (!points.length) {
    return element('p', { class: 'muted' }, 'Each training adds a point to the curve of accuracy against minutes of work.');
  }
  const chart = lineChart({
    points: points.map((point) => [point.minutes, point.accuracy]),
    title: `Validation accuracy against minutes of review, ${counted(points.length, 'training')}; the table has the numbers`,
    xLabel: 'minutes of review',
    yLabel: 'accuracy',
    texts: points.map((point) => `${point.minutes.toFixed(1)} min, ${counted(point.num_labels, 'label')}: ${percent(point.accuracy, 1)}`),
  });
  const rows = points.map(({ minutes, num_labels, accuracy, low, high }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, minutes.toFixed(1)),
      ...[num_labels, percent(accuracy, 1), `${percent(low)} to ${percent(high)}`].map((value) => element('td', { class: 'number' }, value)),
    ),
  );
  const numbers = table(['Minutes', 'Labels', 'Accuracy', '95 % interval'], rows);
  return element(
    'figure',
    {},
    element('figcaption', { class: 'muted' }, 'Validation accuracy against minutes of review, one point for each training'),
    chart,
    element('details', {}, element('summary', {}, 'Numbers'), scrolled('Accuracy by minutes of review', numbers)),
  );
}
