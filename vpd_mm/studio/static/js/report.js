// The report of a training: counts, validation, confusion matrix, calibration, warnings.

import { lineChart } from './chart.js';
import { counted, duration, percent } from './format.js';
import { scrolled, table } from './tables.js';
import { element, figure } from './ui.js';

// Sections of a report of GET training.
export function report(content) {
  const { accuracy, calibration, classes, confusion, detection, made, notes, num_labels, num_predictions, seconds, warm, without_features } = content;
  const warnings = [...notes, accuracy.warning, detection?.found.warning].filter(Boolean);
  if (without_features) warnings.push(`${counted(without_features, 'label')} without features, not used`);
  const figures = [
    figure('Labels', num_labels.toLocaleString('en')),
    figure('Classes', classes.filter((one) => one.labels).length),
    figure('Predictions', num_predictions.toLocaleString('en')),
    figure('Time', duration(seconds)),
    figure('Began', warm ? 'from the last training' : 'from nothing'),
  ];
  return [
    element('div', {}, element('h2', {}, 'Last training'), element('p', { class: 'muted' }, new Date(1000 * made).toLocaleString())),
    element('dl', { class: 'figures' }, ...figures),
    num_predictions ? element('a', { href: '#/review' }, 'Review the predictions') : null,
    warnings.length ? element('ul', { class: 'notice', 'aria-label': 'Warnings' }, ...warnings.map((line) => element('li', {}, line))) : null,
    element('div', { class: 'columns' }, recognition(accuracy, content.validated_by), detection && found(detection)),
    matrix(classes, confusion),
    reliability(calibration),
  ].filter(Boolean);
}

const section = (title, ...parts) => element('section', { class: 'panel stack' }, element('h3', {}, title), ...parts);

// A share with its interval, number of labels and chance.
const share = (name, { value, n, chance, interval }) =>
  element(
    'dl',
    { class: 'figures' },
    figure(name, percent(value, 1)),
    figure('95 % interval', interval.map((end) => percent(end)).join(' to ')),
    figure('Labels', n),
    figure('Chance', percent(chance, 1)),
  );

const recognition = (accuracy, by) =>
  section(
    'Recognition',
    share('Accuracy', accuracy),
    element('p', { class: 'muted' }, `Each label by models that were not trained on ${by === 'video' ? 'its video' : 'it'}.`),
  );

const found = ({ found, num_proposals, threshold }) =>
  section(
    'Detection',
    share('Labels that are found', found),
    element('p', { class: 'muted' }, `By ${counted(num_proposals, 'segment')} with frame scores above ${threshold.toFixed(2)}, of scorers that were not trained on their videos.`),
  );

// Rows are the labelled classes, columns the predicted ones.
function matrix(classes, counts) {
  const most = Math.max(1, ...counts.flat());
  const head = classes.map(({ name }, index) =>
    element('th', { scope: 'col', title: name }, `${index + 1}`, element('span', { class: 'hidden' }, ` ${name}`)),
  );
  const rows = classes.map(({ name, recall }, row) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, `${row + 1} ${name}`),
      ...counts[row].map((count, column) => cell(count, row === column, most)),
      element('td', {}, percent(recall)),
    ),
  );
  return section(
    'Confusion',
    scrolled(
      'Confusion matrix',
      element(
        'table',
        { class: 'matrix' },
        element('caption', {}, 'Rows: labelled class. Columns: predicted class, by number. Bordered: correct.'),
        element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'Labelled'), ...head, element('th', { scope: 'col' }, 'Correct'))),
        element('tbody', {}, ...rows),
      ),
    ),
  );
}

function cell(count, right, most) {
  const made = element('td', { class: right ? 'right' : null }, count || element('span', { class: 'muted' }, '0'));
  if (count) made.style.backgroundColor = `color-mix(in srgb, var(--accent) ${Math.round(8 + (32 * count) / most)}%, var(--surface))`;
  return made;
}

function reliability({ error, error_before, temperature, bins }) {
  const chart = lineChart({
    points: bins.map((bin) => [bin.confidence, bin.accuracy]),
    title: 'Share of correct predictions against their probability; the dashed line is perfect calibration',
    xLabel: 'probability',
    yLabel: 'correct',
    xPercent: true,
    diagonal: true,
  });
  const cell = (value) => element('td', { class: 'number' }, value);
  const rows = bins.map((bin) =>
    element('tr', {}, element('th', { scope: 'row' }, percent(bin.confidence, 1)), cell(percent(bin.accuracy, 1)), cell(bin.n)),
  );
  const before = temperature === 1 ? '' : `, ${percent(error_before, 1)} before a temperature of ${temperature.toFixed(2)}`;
  return section(
    'Calibration',
    element('p', {}, `Probabilities are off by ${percent(error, 1)} on average (expected calibration error${before}).`),
    element('div', { class: 'columns' }, chart, scrolled('Calibration', table(['Mean probability', 'Correct', 'Labels'], rows))),
  );
}
