// The report of a training: counts, validation, confusion matrix, calibration, warnings.

import { lineChart } from './chart.js';
import { duration, percent } from './format.js';
import { scrolled, table } from './tables.js';
import { element } from './ui.js';

// Sections of a report.
export function report({ counts = {}, validation, confusion, calibration, warnings = [], seconds }) {
  const figures = Object.entries(counts).map(([name, number]) => figure(name.replaceAll('_', ' '), number.toLocaleString('en')));
  if (seconds != null) figures.push(figure('time', duration(seconds)));
  const made = [element('h2', {}, 'Last training'), element('dl', { class: 'figures' }, ...figures)];
  if (warnings.length) made.push(element('ul', { class: 'notice', 'aria-label': 'Warnings' }, ...warnings.map((line) => element('li', {}, line))));
  if (validation) made.push(accuracy(validation));
  if (confusion) made.push(matrix(confusion));
  if (calibration) made.push(reliability(calibration));
  return made;
}

const figure = (term, value) => element('div', {}, element('dt', {}, term), element('dd', {}, value));
const section = (title, ...parts) => element('section', { class: 'panel stack' }, element('h3', {}, title), ...parts);

function accuracy({ accuracy, num, chance, interval, from }) {
  return section(
    'Validation',
    element(
      'dl',
      { class: 'figures' },
      figure('Accuracy', percent(accuracy, 1)),
      interval ? figure('95 % interval', `${percent(interval[0], 0)} to ${percent(interval[1], 0)}`) : null,
      figure('Labels', num),
      figure('Chance', percent(chance, 1)),
    ),
    element('p', { class: 'muted' }, from ?? 'On labels that were left out of the training.'),
  );
}

// Rows are the labelled classes, columns the predicted ones.
function matrix({ classes, counts }) {
  const most = Math.max(1, ...counts.flat());
  const head = classes.map((label, index) =>
    element('th', { scope: 'col', title: label }, `${index + 1}`, element('span', { class: 'hidden' }, ` ${label}`)),
  );
  const rows = classes.map((label, row) =>
    element('tr', {}, element('th', { scope: 'row' }, `${row + 1} ${label}`), ...counts[row].map((count, column) => cell(count, row === column, most))),
  );
  return section(
    'Confusion',
    scrolled(
      'Confusion matrix',
      element(
        'table',
        { class: 'matrix' },
        element('caption', {}, 'Rows: labelled class. Columns: predicted class, by number. Bordered: correct.'),
        element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'Labelled'), ...head)),
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

function reliability({ error, bins }) {
  const used = bins.filter((bin) => bin.num);
  const chart = lineChart({
    points: used.map((bin) => [bin.probability, bin.accuracy]),
    title: 'Share of correct predictions against their probability; the dashed line is perfect calibration',
    xLabel: 'probability',
    yLabel: 'correct',
    xPercent: true,
    diagonal: true,
  });
  const rows = used.map((bin) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, `${percent(bin.low)} to ${percent(bin.high)}`),
      ...[bin.num, percent(bin.probability), percent(bin.accuracy)].map((value) => element('td', { class: 'number' }, value)),
    ),
  );
  const heads = ['Probability', 'Labels', 'Mean probability', 'Correct'];
  return section(
    'Calibration',
    element('p', {}, `Probabilities are off by ${percent(error, 1)} on average (expected calibration error).`),
    element('div', { class: 'pair' }, chart, scrolled('Calibration', table(heads, rows))),
  );
}
