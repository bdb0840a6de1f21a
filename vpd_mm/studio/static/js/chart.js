// A small line chart as SVG.

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [400, 260, 52, 44, 12, 28];

function svg(tag, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// At most six round values from 0 to the end of an axis.
function ticks(end) {
  const rough = end / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step);
}

// Points [x, y] with x from 0 and y from 0 to 1 in percent.  `title` describes the chart to those who do not see it;
// `diagonal` draws y = x; `texts` are the tooltips of the points.
export function lineChart({ points, title, xLabel, yLabel, xPercent = false, diagonal = false, texts = [] }) {
  const end = xPercent ? 1 : Math.max(1, ...points.map(([x]) => x));
  const x = (value) => LEFT + ((WIDTH - LEFT - RIGHT) * value) / end;
  const y = (value) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value;
  const number = (value, share) => (share ? `${Math.round(100 * value)} %` : Number(value.toPrecision(6)));
  const text = (left, top, words, anchor) => svg('text', { x: left, y: top, 'text-anchor': anchor }, words);
  const chart = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'chart', 'aria-label': title });
  for (const value of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    chart.append(svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    chart.append(text(LEFT - 6, y(value) + 4, number(value, true), 'end'));
  }
  for (const value of ticks(end)) chart.append(text(x(value), HEIGHT - BOTTOM + 18, number(value, xPercent), 'middle'));
  chart.append(
    svg('line', { class: 'axis', x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) }),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, xLabel, 'middle'),
  );
  if (diagonal) chart.append(svg('line', { class: 'even', x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  chart.append(svg('polyline', { class: 'curve', points: points.map((point) => `${x(point[0])},${y(point[1])}`).join(' ') }));
  points.forEach((point, index) => {
    const words = texts[index] ?? `${xLabel} ${number(point[0], xPercent)}, ${yLabel} ${number(point[1], true)}`;
    chart.append(svg('circle', { cx: x(point[0]), cy: y(point[1]), r: 4 }, svg('title', {}, words)));
  });
  return chart;
}
