// All videos of the corpus: search, sort, filter.  What was chosen is kept in the address, so that "back" returns to it.

import { get, name } from '../api.js';
import { counted, duration, percent } from '../format.js';
import { lazyImage } from '../clips.js';
import { element, figure, noFeatures } from '../ui.js';

const collator = new Intl.Collator('en', { numeric: true });
const byName = (a, b) => collator.compare(a.video, b.video);
// Choices: text, and the order or the condition.
const SORTS = {
  name: ['name', byName],
  longest: ['longest first', (a, b) => b.seconds - a.seconds],
  confident: ['least confident first', (a, b) => (a.confident_share ?? -1) - (b.confident_share ?? -1)],
  tracked: ['least tracked first', (a, b) => (a.tracked_share ?? -1) - (b.tracked_share ?? -1)],
  fewest: ['fewest labels first', (a, b) => a.num_labels - b.num_labels],
  labels: ['most labels first', (a, b) => b.num_labels - a.num_labels],
  predictions: ['most predictions first', (a, b) => b.num_predictions - a.num_predictions],
};
const FILTERS = {
  all: ['all', () => true],
  unlabeled: ['without labels', (row) => !row.num_labels],
  labeled: ['with labels', (row) => row.num_labels > 0],
  predicted: ['with predictions', (row) => row.num_predictions > 0],
  weak: ['less than half confident', (row) => row.confident_share < 0.5],
  train: ['split: train', (row) => row.split === 'train'],
  val: ['split: val', (row) => row.split === 'val'],
  test: ['split: test', (row) => row.split === 'test'],
};
let opened = null; // the video that was opened last: "back" returns to it

export async function show(container, { query }) {
  const [corpus, rows] = await Promise.all([get('corpus'), get('videos')]);
  const athletes = new Map();
  for (const row of rows) athletes.set(row.file, (athletes.get(row.file) ?? 0) + 1);
  const cards = new Map(rows.map((row) => [row.video, element('li', { class: 'card' })]));
  const rowOf = new Map(rows.map((row) => [cards.get(row.video), row]));
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => fill(entry.target)),
    { rootMargin: '1000px' },
  );
  for (const card of cards.values()) near.observe(card);

  const search = element('input', { type: 'search', id: 'search', value: query.search ?? '', oninput: choose });
  const sort = choice('sort', SORTS, query.sort);
  const filter = choice('filter', FILTERS, query.filter);
  const shown = element('p', { class: 'muted', role: 'status' });
  const list = element('ul', { class: 'cards videos', id: 'videos' });
  const page = element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Videos'),
    element(
      'dl',
      { class: 'figures' },
      figure('Videos', rows.length.toLocaleString('en')),
      figure('Length', duration(sum('seconds'))),
      figure('Labels', sum('num_labels').toLocaleString('en')),
      figure('Predictions', sum('num_predictions').toLocaleString('en')),
    ),
    ...hints(),
    element(
      'form',
      { class: 'row', role: 'search', 'aria-label': 'Videos', onsubmit: (event) => event.preventDefault() },
      element('label', {}, 'Search', search),
      element('label', {}, 'Sort by', sort),
      element('label', {}, 'Show', filter),
    ),
    shown,
    list,
  );
  container.append(page);
  refresh();
  const last = cards.get(opened);
  if (last?.isConnected) {
    fill(last);
    last.scrollIntoView({ block: 'center' });
    last.querySelector('a').focus({ preventScroll: true });
  }
  return () => near.disconnect();

  function fill(card) {
    near.unobserve(card);
    const row = rowOf.get(card);
    if (!card.hasChildNodes()) card.append(...content(row, athletes.get(row.file)));
  }

  function choice(id, options, value) {
    const made = element('select', { id, onchange: choose });
    for (const [key, [text]] of Object.entries(options)) {
      made.append(element('option', { value: key, selected: key === value }, text));
    }
    return made;
  }

  function sum(key) {
    return rows.reduce((total, row) => total + row[key], 0);
  }

  function hints() {
    const made = [];
    if (!rows.length) {
      made.push(hint('No videos yet. Add some with ', element('code', {}, `python tools/prepare.py my_videos/ --out ${corpus.folder}`)));
    } else if (!sum('num_labels')) {
      made.push(hint(`No labels yet: open a video${corpus.classes.length ? '' : ', add the classes'}, mark start and end with `, key('I'), ' and ', key('O'), ', press the number of the class, and ', key('A'), '.'));
    }
    if (rows.length && !corpus.feature) made.push(noFeatures(corpus, 'Search and training need'));
    return made;
  }

  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [, keep] = FILTERS[filter.value];
    const [, order] = SORTS[sort.value];
    const kept = rows
      .filter((row) => keep(row) && words.every((word) => `${row.video} ${row.file}`.toLowerCase().includes(word)))
      .sort((a, b) => order(a, b) || byName(a, b));
    list.replaceChildren(...kept.map((row) => cards.get(row.video)));
    shown.textContent = kept.length === rows.length ? counted(rows.length, 'video') : `${kept.length} of ${counted(rows.length, 'video')}`;
  }

  function choose() {
    refresh();
    const chosen = new URLSearchParams();
    if (search.value) chosen.set('search', search.value);
    if (sort.value !== 'name') chosen.set('sort', sort.value);
    if (filter.value !== 'all') chosen.set('filter', filter.value);
    history.replaceState(null, '', chosen.size ? `#/library?${chosen}` : '#/library');
  }
}

const key = (text) => element('kbd', {}, text);
const hint = (...parts) => element('p', { class: 'notice' }, ...parts);

function content(row, numAthletes) {
  const details = [duration(row.seconds), `${Number(row.fps.toFixed(2))} fps`, row.split];
  if (numAthletes > 1) details.push(`1 of ${numAthletes} athletes`);
  const link = { class: 'whole', href: `#/player/${name(row.video)}`, onclick: () => (opened = row.video) };
  return [
    lazyImage(`api/videos/${name(row.video)}/thumbnail?v=${row.tag}`, { class: 'view' }),
    element(
      'div',
      { class: 'text' },
      element('h2', {}, element('a', link, row.video)),
      element('p', { class: 'muted numbers' }, details.filter(Boolean).join(' · ')),
      element(
        'dl',
        {},
        figure('tracked', percent(row.tracked_share)),
        figure('confident', percent(row.confident_share)),
        figure('labels', row.num_labels),
        figure('predictions', row.num_predictions),
      ),
    ),
  ];
}
