// The timeline: for each athlete a lane of labels, of predictions, of the teacher's confidence and a heat strip of
// frame scores.  It draws and reports what the pointer does; what the page does about it is decided by its listener.

import { element } from '../ui.js';
import { inkOn } from './colours.js';
import { rows, resized, moved } from './segments.js';
import { Scale, ticks } from './scale.js';
import { clock } from './times.js';

const RULER = 24; // px
const OVERVIEW = 12;
const TITLES = 112; // width of the titles beside the lanes; narrow pages have them within
const ROW = { labels: 24, predictions: 18 };
const STRIP = { confidence: 28, scores: 14 };
const NAMES = { labels: 'Labels', predictions: 'Predictions', confidence: "Teacher's confidence", scores: 'Frame scores' };

export class Timeline {
  #lanes = [];
  #drag = null;
  #pointers = new Map();
  #drawing = 0;

  // model: {times, athletes, labelsOf(video), predictionsOf(video), confidenceOf(video), scoresOf(video) -> a score or
  // NaN for each frame, with the `gate` above which a frame is confident, colourOf(class), active, selected: Set of segments, draft, loop}.
  // on: {seek(frame), select(kind, segment, more), activate(video), dragging(frame, span), change(label, span)}.
  constructor({ model, on }) {
    Object.assign(this, { model, on });
    this.scale = new Scale(model.times.numFrames);
    this.canvas = element('canvas', {
      ...{ id: 'timeline', role: 'slider', tabindex: 0, 'aria-label': 'Position in the video', 'aria-valuemin': 0 },
      'aria-valuemax': model.times.numFrames - 1,
    });
    this.head = element('div', { class: 'playhead', 'aria-hidden': 'true' });
    this.root = element('div', { class: 'timeline' }, this.canvas, this.head);
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.root);
    const listen = (type, listener) => this.canvas.addEventListener(type, listener, { passive: false });
    listen('pointerdown', (event) => this.#down(event));
    listen('pointermove', (event) => this.#move(event));
    listen('pointerup', (event) => this.#up(event));
    listen('pointercancel', (event) => this.#up(event, true));
    listen('wheel', (event) => this.#wheel(event));
  }

  // Move the line of the frame on screen.
  show(frame, follow) {
    this.frame = frame;
    const { start } = this.scale;
    if (follow) this.scale.reveal(frame);
    if (start !== this.scale.start) this.redraw();
    this.canvas.setAttribute('aria-valuenow', frame);
    this.canvas.setAttribute('aria-valuetext', `frame ${frame}, ${clock(this.model.times.seconds(frame))}`);
    this.#placeHead();
  }

  zoom(factor) {
    this.scale.zoom(factor, this.frame ?? 0);
    this.redraw();
  }

  // Pan by a share of what is in sight.
  pan(share) {
    this.scale.pan(share * (this.scale.end - this.scale.start));
    this.redraw();
  }

  // True where a drag was given up.
  cancel() {
    if (!this.#drag) return false;
    this.#drag = null;
    this.redraw();
    return true;
  }

  get dragging() {
    return Boolean(this.#drag?.span);
  }

  redraw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  close() {
    cancelAnimationFrame(this.#drawing);
    this.observer.disconnect();
  }

  #lay() {
    const { model } = this;
    const several = model.athletes.length > 1;
    this.#lanes = [];
    let y = RULER;
    const add = (lane) => {
      this.#lanes.push({ ...lane, y });
      y += lane.height + 3;
    };
    for (const video of model.athletes) {
      if (several) add({ kind: 'athlete', video, height: 16 });
      for (const kind of ['labels', 'predictions']) {
        const segments = (kind === 'labels' ? model.labelsOf(video) : model.predictionsOf(video)).map((segment) => this.#shown(segment));
        if (kind === 'predictions' && !segments.length) continue;
        const { rowOf, count } = rows(segments);
        add({ kind, video, segments, rowOf, height: count * ROW[kind] });
      }
      for (const kind of ['confidence', 'scores']) {
        const values = kind === 'confidence' ? model.confidenceOf(video) : model.scoresOf(video);
        if (values) add({ kind, video, values, height: STRIP[kind] });
      }
    }
    this.overview = y + 2;
    this.height = this.overview + OVERVIEW;
    this.gutter = this.root.clientWidth >= 640 ? TITLES : 0;
    this.scale.width = Math.max(1, this.root.clientWidth - this.gutter);
  }

  // A label as it is dragged.
  #shown(segment) {
    return this.#drag?.span && segment.action_id && segment.action_id === this.#drag.label.action_id
      ? { ...segment, ...this.#drag.span }
      : segment;
  }

  #draw() {
    this.#lay();
    const ratio = devicePixelRatio || 1;
    const { canvas, scale, model } = this;
    const width = this.root.clientWidth;
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.height = `${this.height}px`;
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    this.colours = { ink: style.color };
    for (const key of ['line', 'surface', 'accent', 'tint']) this.colours[key] = resolved(canvas, `--${key}`);
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = 'middle';
    context.save();
    context.beginPath();
    context.rect(this.gutter, 0, scale.width, this.height);
    context.clip();
    context.translate(this.gutter, 0);
    this.#drawRuler(context);
    for (const lane of this.#lanes) {
      context.fillStyle = lane.video === model.active ? this.colours.tint : this.colours.surface;
      context.fillRect(0, lane.y, scale.width, lane.height);
      if (lane.segments) for (const segment of lane.segments) this.#drawSegment(context, lane, segment);
      else if (lane.kind === 'confidence') this.#drawCurve(context, lane);
      else if (lane.kind === 'scores') this.#drawHeat(context, lane);
      if (lane.kind === 'labels' && lane.video === model.active) this.#drawDraft(context, lane);
    }
    this.#drawOverview(context);
    context.restore();
    this.#drawTitles(context);
    this.#placeHead();
  }

  #drawRuler(context) {
    const { scale, model, colours } = this;
    if (model.loop) {
      const x = scale.x(model.loop.start_frame);
      context.fillStyle = colours.accent;
      context.fillRect(x, RULER - 5, scale.x(model.loop.end_frame) - x, 4);
    }
    for (const { frame, seconds } of ticks(scale, model.times)) {
      const x = scale.x(frame);
      context.fillStyle = colours.line;
      context.fillRect(x, 0, 1, this.overview);
      context.fillStyle = colours.ink;
      context.fillText(clock(seconds).replace(/\.000$/, '').replace(/(\.\d)00$/, '$1'), x + 4, RULER / 2);
    }
  }

  #drawSegment(context, lane, segment) {
    const { scale, model, colours } = this;
    const [left, right] = [scale.x(segment.start_frame), scale.x(segment.end_frame)];
    if (right < 0 || left > scale.width) return;
    const height = ROW[lane.kind] - 2;
    const y = lane.y + lane.rowOf.get(segment) * ROW[lane.kind] + 1;
    const width = Math.max(2, right - left - 1);
    const selected = [...model.selected].some((other) => isSame(other, segment));
    context.fillStyle = model.colourOf(segment.label);
    const predicted = lane.kind === 'predictions';
    context.globalAlpha = predicted ? 0.15 + 0.4 * (segment.score ?? 1) : 1;
    context.fillRect(left, y, width, height);
    context.globalAlpha = 1;
    if (selected) {
      Object.assign(context, { strokeStyle: colours.ink, lineWidth: 2.5 });
      context.strokeRect(left, y, width, height);
      if (lane.kind === 'labels') {
        context.fillStyle = colours.ink;
        for (const x of [left - 1, left + width - 4]) context.fillRect(x, y, 5, height);
      }
    }
    if (width < 24) return;
    context.save();
    context.beginPath();
    context.rect(left, y, width, height);
    context.clip();
    const text = segment.score === undefined ? segment.label : `${segment.label} ${Math.round(100 * segment.score)} %`;
    const x = Math.max(left, 0) + 8;
    context.fillStyle = predicted ? colours.ink : inkOn(model.colourOf(segment.label));
    context.fillText(text, x, y + height / 2 + 0.5);
    context.restore();
  }

  #drawDraft(context, lane) {
    const { draft } = this.model;
    if (draft.start_frame === null && draft.end_frame === null) return;
    const first = draft.start_frame ?? draft.end_frame - 1;
    const left = this.scale.x(first);
    const right = this.scale.x(draft.end_frame ?? first + 1);
    Object.assign(context, { strokeStyle: this.colours.accent, lineWidth: 2 });
    context.setLineDash([5, 3]);
    context.strokeRect(left, lane.y + 1, Math.max(2, right - left), lane.height - 2);
    context.setLineDash([]);
  }

  // Mean of each column of pixels, and the gate; frames without a value leave a gap.
  #drawCurve(context, lane) {
    context.fillStyle = this.colours.accent;
    this.#columns(lane.values, (values) => values.reduce((sum, value) => sum + value, 0) / values.length, (x, value) => {
      const height = Math.max(1, value * (lane.height - 2));
      context.fillRect(x, lane.y + lane.height - height, 1, height);
    });
    if (lane.values.gate === undefined) return;
    context.fillStyle = this.colours.ink;
    context.fillRect(0, lane.y + lane.height - lane.values.gate * (lane.height - 2), this.scale.width, 1);
  }

  // Largest score of each column.
  #drawHeat(context, lane) {
    context.fillStyle = '#d55e00';
    this.#columns(lane.values, (values) => Math.max(...values), (x, value) => {
      context.globalAlpha = Math.min(1, Math.max(0.04, value));
      context.fillRect(x, lane.y, 1, lane.height);
    });
    context.globalAlpha = 1;
  }

  #columns(values, reduce, draw) {
    for (let x = 0; x < this.scale.width; x++) {
      const first = Math.floor(this.scale.position(x));
      const last = Math.max(first + 1, Math.floor(this.scale.position(x + 1)));
      const step = Math.max(1, Math.floor((last - first) / 16));
      const known = [];
      for (let frame = first; frame < last; frame += step) if (!Number.isNaN(values[frame] ?? NaN)) known.push(values[frame]);
      if (known.length) draw(x, reduce(known));
    }
  }

  #drawOverview(context) {
    const { scale, colours, overview, model } = this;
    const x = (frame) => (frame / scale.numFrames) * scale.width;
    context.fillStyle = colours.surface;
    context.fillRect(0, overview, scale.width, OVERVIEW);
    for (const label of model.athletes.flatMap((video) => model.labelsOf(video))) {
      context.fillStyle = model.colourOf(label.label);
      context.fillRect(x(label.start_frame), overview + 3, Math.max(1, x(label.end_frame) - x(label.start_frame)), OVERVIEW - 6);
    }
    Object.assign(context, { strokeStyle: colours.accent, lineWidth: 2 });
    context.strokeRect(x(scale.start) + 1, overview + 1, x(scale.end) - x(scale.start) - 2, OVERVIEW - 2);
  }

  #drawTitles(context) {
    const { colours, gutter, model } = this;
    for (const lane of this.#lanes) {
      const athlete = lane.kind === 'athlete';
      const text = athlete ? lane.video : NAMES[lane.kind];
      if (!gutter && lane.segments?.length) continue;
      context.fillStyle = colours.ink;
      context.font = context.font.replace(/^(bold )?/, athlete && lane.video === model.active ? 'bold ' : '');
      if (!gutter) {
        const y = lane.y + Math.min(lane.height, ROW.labels) / 2;
        context.globalAlpha = 0.75;
        context.fillStyle = colours.surface;
        context.fillRect(2, y - 8, context.measureText(text).width + 4, 16);
        context.globalAlpha = 1;
        context.fillStyle = colours.ink;
        context.fillText(text, 4, y);
      } else context.fillText(text, 0, lane.y + Math.min(lane.height, ROW.labels) / 2, athlete ? 1e4 : gutter - 6);
    }
  }

  #placeHead() {
    const { scale, head, gutter = 0 } = this;
    if (this.frame === undefined) return;
    const x = scale.x(this.frame);
    head.hidden = x + scale.x(scale.start + 1) < 0 || x > scale.width;
    head.style.transform = `translateX(${gutter + Math.max(0, x)}px)`;
    head.style.width = `${Math.max(2, scale.width / (scale.end - scale.start))}px`;
    head.style.height = `${this.overview ?? 0}px`;
  }

  // -- pointer

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left - this.gutter, y: event.clientY - box.top };
  }

  // {lane, segment, edge} under a position.
  #hit({ x, y }, touch) {
    const lane = this.#lanes.find((other) => y >= other.y && y < other.y + other.height);
    if (!lane?.segments) return { lane };
    const row = Math.floor((y - lane.y) / ROW[lane.kind]);
    const reach = touch ? 18 : 6;
    const near = lane.segments.filter((segment) => lane.rowOf.get(segment) === row);
    const chosen = (segment) => [...this.model.selected].some((other) => isSame(other, segment));
    const edges = near
      .filter((segment) => lane.kind === 'labels' && (!touch || chosen(segment)))
      .flatMap((segment) => ['start_frame', 'end_frame'].map((edge) => ({ lane, segment, edge, away: Math.abs(x - this.scale.x(segment[edge])) })))
      .filter(({ away, segment }) => away <= Math.min(reach, Math.max(2, (this.scale.x(segment.end_frame) - this.scale.x(segment.start_frame)) / 3)) || (touch && away <= reach))
      .sort((a, b) => chosen(b.segment) - chosen(a.segment) || a.away - b.away);
    if (edges.length) return edges[0];
    const position = this.scale.position(x);
    const wide = (segment) => Math.max(segment.end_frame, this.scale.position(this.scale.x(segment.start_frame) + 3));
    return { lane, segment: near.find((segment) => position >= segment.start_frame && position < wide(segment)) };
  }

  #down(event) {
    if (event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.#at(event);
    this.#pointers.set(event.pointerId, point);
    if (this.#pointers.size === 2) return void this.cancel();
    const frame = this.scale.frame(point.x);
    if (point.y >= this.overview) {
      this.#drag = { kind: 'pan' };
      return void this.#pan(point);
    }
    const { lane, segment, edge } = this.#hit(point, event.pointerType === 'touch');
    if (lane && lane.video !== this.model.active) this.on.activate(lane.video);
    if (segment) {
      const again = [...this.model.selected].some((other) => isSame(other, segment));
      const kind = edge ?? (lane.kind === 'labels' && again && !event.shiftKey ? 'move' : null);
      if (!again || event.shiftKey) this.on.select(lane.kind, segment, event.shiftKey);
      this.#drag = kind ? { kind, label: segment, from: point.x, offset: this.scale.position(point.x) - segment.start_frame } : { kind: 'none' };
      if (!kind) this.on.seek(frame);
    } else {
      if (lane?.kind === 'labels') this.on.select(null);
      this.#drag = { kind: 'scrub' };
      this.on.seek(frame);
    }
  }

  #move(event) {
    const point = this.#at(event);
    if (!this.#pointers.has(event.pointerId)) return this.#hover(point, event);
    if (this.#pointers.size === 2) return this.#pinch(event.pointerId, point);
    this.#pointers.set(event.pointerId, point);
    const drag = this.#drag;
    if (!drag) return undefined;
    if (drag.kind === 'pan') return this.#pan(point);
    if (drag.kind === 'scrub') return this.on.seek(this.scale.frame(point.x));
    if (!drag.label || (!drag.span && Math.abs(point.x - drag.from) < 3)) return undefined;
    const n = this.model.times.numFrames;
    const position = this.scale.position(point.x);
    if (drag.kind === 'move') drag.span = moved(drag.label, Math.round(position - drag.offset), n);
    else drag.span = resized(drag.label, drag.kind, Math.round(position), n);
    this.on.dragging(drag.kind === 'end_frame' ? drag.span.end_frame - 1 : drag.span.start_frame, drag.span);
    this.redraw();
    return undefined;
  }

  #up(event, cancelled = false) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    if (drag.span && !cancelled) this.on.change(drag.label, drag.span);
    else if (drag.label && !cancelled) this.on.seek(this.scale.frame(this.#at(event).x));
    this.redraw();
  }

  #hover(point, event) {
    const { edge, segment } = this.#hit(point, event.pointerType === 'touch');
    this.canvas.style.cursor = edge ? 'ew-resize' : segment ? 'pointer' : 'default';
  }

  #pan({ x }) {
    const middle = (x / this.scale.width) * this.scale.numFrames;
    this.scale.pan(middle - (this.scale.start + this.scale.end) / 2);
    this.redraw();
  }

  // Two fingers: what lies under their middle stays there.
  #pinch(id, point) {
    const span = () => [...this.#pointers.values()].map(({ x }) => x).sort((a, b) => a - b);
    const [a, b] = span();
    const middle = this.scale.position((a + b) / 2);
    this.#pointers.set(id, point);
    const [c, d] = span();
    this.scale.zoom(Math.max(20, d - c) / Math.max(20, b - a), middle);
    this.scale.pan(middle - this.scale.position((c + d) / 2));
    this.redraw();
  }

  // Ctrl + wheel (and a pinch on a trackpad) zooms, a sideways wheel or shift + wheel pans; the plain wheel is the page's.
  #wheel(event) {
    const sideways = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (event.ctrlKey || event.metaKey) this.scale.zoom(Math.exp(-event.deltaY / 300), this.scale.position(this.#at(event).x));
    else if (sideways) this.scale.pan((sideways / this.scale.width) * (this.scale.end - this.scale.start));
    else return;
    event.preventDefault();
    this.redraw();
  }
}

// Labels are the same by id, predictions by what they are.
function isSame(a, b) {
  return a.action_id || b.action_id ? a.action_id === b.action_id : a.video === b.video && a.start_frame === b.start_frame && a.end_frame === b.end_frame && a.label === b.label;
}

// A colour of the style sheet as a canvas takes it: light-dark() is resolved.
function resolved(canvas, property) {
  canvas.style.borderColor = `var(${property})`;
  const colour = getComputedStyle(canvas).borderTopColor;
  canvas.style.borderColor = '';
  return colour;
}
