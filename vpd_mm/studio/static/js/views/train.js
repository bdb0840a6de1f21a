// Train on the labels and predict the whole corpus: one button, its progress, and the report of the last training.

import { get, post, remove } from '../api.js';
import { counted, duration } from '../format.js';
import { report } from '../report.js';
import { scrolled, table } from '../tables.js';
import { element, message, noFeatures } from '../ui.js';

const LEAST = 2; // labels of a class
const STAGES = { start: 'Reading labels and features', train: 'Training the recogniser and the frame scorer', predict: 'Predicting all videos', save: 'Saving' };

export async function show(container) {
  const [corpus, { labels }, training] = await Promise.all([get('corpus'), get('labels'), get('training')]);
  const used = labels.filter((label) => label.split !== 'test');
  const start = element('button', { type: 'button', class: 'main', id: 'start' }, `Train on ${counted(used.length, 'label')}`);
  const cancel = element('button', { type: 'button', id: 'cancel' }, 'Cancel');
  const stage = element('p', { role: 'status', id: 'stage' });
  const left = element('p', { class: 'muted numbers', id: 'left' });
  const bar = element('progress', { id: 'bar', 'aria-label': 'Progress of the training' });
  const progress = element('div', { class: 'panel stack' }, stage, bar, left);
  const result = element('div', { class: 'stack', id: 'report' });
  start.addEventListener('click', () => ask(post, 'Starting'));
  cancel.addEventListener('click', () => ask(remove, 'Cancelling'));

  const missing = reasons(corpus, used);
  container.append(
    element(
      'div',
      { class: 'stack' },
      element('h1', {}, 'Train and predict'),
      element('p', {}, 'Trains the recogniser and the frame scorer on the labels, but not on those of split test, then predicts the actions of all videos.'),
      ...missing,
      element('div', { class: 'row' }, start, cancel),
      progress,
      classCounts(corpus.classes, used),
      result,
    ),
  );
  let state = null;
  update(training);
  const stop = follow(update);
  return stop;

  async function ask(method, words) {
    start.disabled = cancel.disabled = true;
    progress.hidden = false;
    stage.textContent = words;
    try {
      update(await method('training'));
    } catch (error) {
      message(error.message, 'error');
      update(await get('training'));
    }
  }

  function update(now) {
    const running = now.state === 'running';
    start.disabled = running || missing.length > 0;
    cancel.disabled = !running;
    cancel.hidden = !running;
    progress.hidden = now.state === 'idle' || now.state === 'done';
    bar.hidden = left.hidden = !running;
    if (running) {
      Object.assign(bar, { max: now.total, value: now.done });
      left.textContent = `${Math.round((100 * now.done) / now.total)} %${now.eta_sec == null ? '' : `, about ${duration(now.eta_sec)} left`}`;
    }
    const words = { running: STAGES[now.stage] ?? now.stage, cancelled: 'Cancelled; the results of the last training stay.', failed: now.error };
    const text = words[now.state] ?? '';
    if (stage.textContent !== text) stage.textContent = text; // the status speaks once per stage
    stage.classList.toggle('error', now.state === 'failed');
    if (now.state !== state || state === null) {
      if (state === 'running' && now.state === 'done') message('Trained, and predicted all videos');
      state = now.state;
      result.replaceChildren(...(now.report && !running ? report(now.report) : []));
    }
  }
}

// Lines of what has to be there first.
function reasons(corpus, labels) {
  const made = corpus.feature ? [] : [noFeatures(corpus, 'Training needs')];
  if (!labels.length) {
    const link = element('a', { href: '#/library' }, 'open a video');
    made.push(element('p', { class: 'notice' }, 'No labels yet: ', link, ' and label at least two actions of each of two classes.'));
  }
  return made;
}

function classCounts(classes, labels) {
  const counts = new Map(classes.map((label) => [label, 0]));
  for (const { label } of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const most = Math.max(1, ...counts.values());
  const few = [...counts.values()].filter((count) => count < LEAST).length;
  return element(
    'details',
    { class: 'panel', open: few > 0 },
    element('summary', {}, `Labels of each class${few ? `; ${counted(few, 'class', 'classes')} with fewer than ${LEAST}` : ''}`),
    scrolled('Labels of each class', table(['Class', 'Labels', ''], [...counts].map(([label, count]) => countRow(label, count, most)), { class: 'counts' })),
  );
}

function countRow(label, count, most) {
  const bar = element('i', {});
  bar.style.width = `${(100 * count) / most}%`;
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, label),
    element('td', { class: 'number' }, count),
    element('td', {}, element('div', { class: 'share', 'aria-hidden': 'true' }, bar)),
  );
}

// Call `update` with each state of the training, over a WebSocket, and by asking while there is none.  Returns its end.
function follow(update) {
  let ended = false;
  let socket = null;
  let timer = 0;

  function connect() {
    socket = new WebSocket(new URL('api/training/progress', location.href).href.replace(/^http/, 'ws').split('#')[0]);
    socket.onmessage = ({ data }) => !ended && update(JSON.parse(data));
    socket.onclose = () => {
      if (ended) return;
      get('training')
        .catch((error) => ({ state: 'failed', error: error.message }))
        .then((now) => !ended && update(now));
      timer = setTimeout(connect, 2000);
    };
  }

  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket.close();
  };
}
