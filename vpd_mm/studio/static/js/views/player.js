// The player: frames by index, timeline, labels.  This file builds the page; its parts are in js/player/.

import * as api from '../api.js';
import { isField } from '../keys.js';
import { element, message } from '../ui.js';
import { colourOf } from '../player/colours.js';
import { conflict, help } from '../player/dialogs.js';
import { FrameLoader } from '../player/frames.js';
import { commandOf } from '../player/keys.js';
import { LabelStore } from '../player/labels.js';
import { Overlays, OUTLINES, SWITCHES } from '../player/overlays.js';
import { Panel } from '../player/panel.js';
import { same } from '../player/segments.js';
import { Session } from '../player/session.js';
import { Stage } from '../player/stage.js';
import { FrameTimes, clock } from '../player/times.js';
import { Timeline } from '../player/timeline.js';
import { SPEEDS, Transport } from '../player/transport.js';

const { get, name } = api;
const MEMORY = 192e6; // bytes of decoded frames
const POLL = 3000; // ms between looks for the changes of others
const REPEATED = new Set(['step', 'jump', 'zoom', 'speed', 'undo', 'redo']);

export async function show(container, { argument, query }) {
  const [corpus, row] = await Promise.all([get('corpus'), get(`videos/${name(argument)}`)]);
  const athletes = await Promise.all(row.athletes.map((video) => (video === row.video ? row : get(`videos/${name(video)}`))));
  const times = new FrameTimes(row.num_frames, row.fps, row.times);
  const view = new View({ corpus, row, athletes, times });
  container.append(...view.page());
  await view.start(query);
  return () => view.close();
}

class View {
  #timers = [];
  #listeners = new AbortController();
  #values = new Map(); // 'confidence/<video>', 'scores/<video>' -> Float32Array; 'predictions/<video>' -> list

  // row: of the video that was opened; athletes: rows of all athletes of its file.
  constructor({ corpus, row, athletes: rows, times }) {
    const athletes = rows.map(({ video }) => video);
    Object.assign(this, { row, athletes, times, classes: [...corpus.classes] });
    const say = (text) => message(text);
    const problem = (text) => message(text, 'error');
    this.store = new LabelStore({
      ...{ videos: athletes, api, onConflict: (conflicts) => this.#ask(conflicts), onError: problem },
      onChange: () => this.#changed(),
    });
    this.session = new Session({
      ...{ numFrames: row.num_frames, athletes, active: row.video, classes: this.classes, store: this.store, say },
      frameOf: () => this.transport.target,
      onChange: () => this.#changed(),
    });
    const colour = (label) => colourOf(this.classes.indexOf(label));
    this.overlays = new Overlays({ numFrames: row.num_frames, posesOf: new Map(rows.map(({ video, poses }) => [video, poses])), onLoad: () => this.#overlaid(), onError: problem });
    const repaired = new Set(corpus.repaired);
    this.poses = row.poses.filter((set) => !repaired.has(set));
    this.repaired = row.poses.filter((set) => repaired.has(set));
    Object.assign(this.overlays, { poses: this.poses[0] ?? '', repaired: this.repaired[0] ?? '' });
    this.overlays.student = corpus.student;
    this.stage = new Stage({ row, overlays: this.overlays });
    const url = corpus.fps ? '' : `api/videos/${name(row.video)}/file`; // a resampled corpus has other frames than its files
    this.transport = new Transport({
      ...{ times, loader: null, video: this.stage.video, url },
      onShow: (frame, image) => this.#shown(frame, image),
      onState: () => this.#state(),
      onError: (error) => this.stage.fail(error.message),
    });
    this.panel = new Panel({
      session: this.session,
      colourOf: colour,
      on: {
        command: (command, value) => this.#do(command, value),
        go: (frame) => this.transport.go(frame),
        addClass: (label) => this.#changeClasses({ name: label }),
        renameClass: (old, label) => this.#changeClasses({ name: old, rename: label }),
      },
    });
    this.timeline = new Timeline({ model: this.#model(colour), on: this.#pointer() });
  }

  // -- page

  page() {
    const { row, times } = this;
    this.number = element('b', { id: 'frame-number' }, '-');
    this.number.style.minWidth = `${String(row.num_frames - 1).length}ch`;
    this.time = element('b', { id: 'frame-time' }, '-');
    this.saved = element('span', { id: 'save-state', role: 'status' });
    const length = clock(times.seconds(row.num_frames));
    const goTo = element('input', { id: 'go-to', type: 'number', min: 0, max: row.num_frames - 1, step: 1 });
    goTo.addEventListener('change', () => goTo.value !== '' && this.transport.go(Number(goTo.value)));
    goTo.addEventListener('keydown', ({ key }) => key === 'Enter' && goTo.blur());
    const past = element('a', { href: '#/exchange' }, 'History');
    const title = element('div', { class: 'title' }, element('h1', {}, row.video), element('div', {}, this.saved, ' ', past));
    const position = element(
      'div',
      { class: 'position' },
      element('span', {}, 'Frame ', this.number, element('span', { class: 'muted' }, ` of ${row.num_frames}`)),
      element('span', {}, this.time, element('span', { class: 'muted' }, ` of ${length}`)),
      element('label', { for: 'go-to', class: 'inline' }, 'Go to frame', goTo),
    );
    const main = element('div', { class: 'main-column' }, this.stage.root, position, this.#controls(), this.#switches(), this.#lanes());
    this.broken = element('p', { id: 'label-problem', class: 'error', role: 'alert', hidden: true });
    return [title, this.broken, element('div', { class: 'player' }, main, this.panel.root)];
  }

  #button(text, label, command, argument = null) {
    return element('button', { type: 'button', 'aria-label': `${text}, ${label}`, title: label, 'data-command': command, onclick: () => this.#do(command, argument) }, text);
  }

  #controls() {
    this.play = this.#button('Play', 'Space', 'toggle');
    this.play.classList.add('main');
    this.speed = element('select', { id: 'speed', 'aria-label': 'Speed' }, ...SPEEDS.map((speed) => element('option', { value: speed }, `${speed}x`)));
    this.speed.value = '1';
    this.speed.addEventListener('change', () => this.transport.setSpeed(Number(this.speed.value)));
    this.looping = this.#button('Loop', 'within the segment (P)', 'loop');
    return element(
      'div',
      { class: 'controls', role: 'group', 'aria-label': 'Playback' },
      this.#button('-5 s', 'Five seconds back', 'jump', -5),
      this.#button('-1 s', 'One second back', 'jump', -1),
      this.#button('-1', 'One frame back', 'step', -1),
      this.play,
      this.#button('+1', 'One frame forward', 'step', 1),
      this.#button('+1 s', 'One second forward', 'jump', 1),
      this.#button('+5 s', 'Five seconds forward', 'jump', 5),
      this.speed,
      this.looping,
      this.#button('Keys ?', 'Show the keys', 'help'),
    );
  }

  #switches() {
    this.loading = element('span', { class: 'muted', role: 'status' });
    const { overlays } = this;
    const present = { box: true, teacher: overlays.poses, student: overlays.student, repaired: overlays.repaired, flow: true };
    const boxes = SWITCHES.filter(([key]) => present[key]).map(([key, text]) => {
      const box = element('input', { type: 'checkbox', id: `show-${key}`, checked: overlays.on[key] });
      box.addEventListener('change', () => {
        overlays.set(key, box.checked);
        this.#overlaid();
      });
      const line = element('i', { class: 'outline', 'aria-hidden': 'true', hidden: !OUTLINES[key] });
      line.style.backgroundColor = OUTLINES[key] ?? '';
      return element('label', { class: 'check', for: `show-${key}` }, box, text, line);
    });
    const choice = (id, title, sets, key) => {
      if (sets.length < 2) return null;
      const select = element('select', { id }, ...sets.map((set) => element('option', { value: set }, set)));
      select.addEventListener('change', () => {
        overlays[key] = select.value;
        this.#overlaid();
      });
      return element('label', { for: id, class: 'inline' }, title, select);
    };
    const choices = [
      choice('pose-set', "Teacher's poses", this.poses, 'poses'),
      choice('repaired-set', 'Repaired poses', this.repaired, 'repaired'),
    ];
    return element('div', { class: 'switches', role: 'group', 'aria-label': 'Shown over the image' }, ...boxes, ...choices, this.loading);
  }

  #lanes() {
    const zoom = (text, label, factor) => this.#button(text, label, 'zoom', factor);
    const pan = (text, label, share) =>
      element('button', { type: 'button', 'aria-label': `${text}, ${label}`, title: label, onclick: () => this.timeline.pan(share) }, text);
    this.athlete = element('select', { id: 'athlete' }, ...this.athletes.map((video) => element('option', { value: video }, video)));
    this.athlete.addEventListener('change', () => this.session.activate(this.athlete.value));
    const several = this.athletes.length > 1;
    const tools = element(
      'div',
      { class: 'controls', role: 'group', 'aria-label': 'Timeline' },
      zoom('+', 'Zoom into the timeline', 2),
      zoom('-', 'Zoom out of the timeline', 0.5),
      zoom('All', 'Show the whole timeline', 0),
      pan('<', 'Earlier part of the timeline', -0.5),
      pan('>', 'Later part of the timeline', 0.5),
      several ? element('label', { for: 'athlete', class: 'inline' }, 'Athlete', this.athlete) : null,
    );
    return element('div', { class: 'lanes' }, tools, this.timeline.root);
  }

  // -- start and end

  async start({ frame, start, end }) {
    const { signal } = this.#listeners;
    document.addEventListener('keydown', (event) => this.#key(event), { signal });
    for (const type of ['pointerdown', 'keydown', 'click', 'change']) document.addEventListener(type, releaseFocus, { signal });
    window.addEventListener('beforeunload', (event) => this.store.pending && event.preventDefault(), { signal });
    const look = () => this.#look();
    window.addEventListener('focus', look, { signal });
    document.addEventListener('visibilitychange', look, { signal });
    this.#timers.push(setInterval(look, POLL));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.timeline.redraw(), { signal });
    this.#makeLoader();
    this.resized = new ResizeObserver(() => this.stage.height !== this.height && this.#makeLoader());
    this.resized.observe(this.stage.root);
    const first = Number(frame ?? start ?? 0);
    this.transport.seek(Number.isFinite(first) ? first : 0);
    await this.store.load();
    this.#choose(Number(start), Number(end));
    for (const video of this.athletes) this.#loadValues(video);
  }

  close() {
    this.#listeners.abort();
    this.#timers.forEach(clearInterval);
    clearTimeout(this.addressing);
    this.resized?.disconnect();
    this.transport.close();
    this.stage.close();
    this.timeline.close();
    this.store.close();
  }

  // The segment of a link: its label is selected, or it is marked.
  #choose(start_frame, end_frame) {
    if (!(start_frame >= 0 && start_frame < end_frame && end_frame <= this.row.num_frames)) return;
    const label = this.store.of(this.session.active).find((one) => one.start_frame === start_frame && one.end_frame === end_frame);
    if (label) this.session.select(label);
    else {
      this.session.draft = { start_frame, end_frame };
      this.#changed();
    }
  }

  // A loader of images in the height that the screen needs.
  #makeLoader() {
    const { row, stage, transport } = this;
    this.height = stage.height;
    const bytes = 4 * this.height ** 2 * (row.width / row.height);
    const path = (frame) => `videos/${name(this.athletes[0])}/frames/${frame}?height=${this.height}&v=${row.tag}`;
    const old = transport.loader;
    transport.loader = new FrameLoader({
      load: async (frame, signal) => {
        const response = await api.download(path(frame), signal);
        return createImageBitmap(await response.blob());
      },
      capacity: Math.min(240, Math.max(16, Math.floor(MEMORY / bytes))),
    });
    old?.close();
    if (old && !transport.playing) transport.seek(transport.target);
  }

  #loadValues(video) {
    const frames = (part) => async (path) => {
      const { scores, gate } = await get(path);
      if (!scores.length) return;
      const values = Float32Array.from(scores, (score) => score ?? NaN);
      this.#values.set(`${part}/${video}`, Object.assign(values, { gate }));
    };
    const predictions = async (path) => {
      const answer = await get(path);
      this.#values.set(`predictions/${video}`, answer.predictions);
      const all = this.athletes.flatMap((one) => this.#values.get(`predictions/${one}`) ?? []);
      this.panel.setPredictions(all, answer.stale);
    };
    const parts = [
      [frames('confidence'), `videos/${name(video)}/confidence`],
      [frames('scores'), `predictions/scores?video=${name(video)}`],
      [predictions, `predictions?video=${name(video)}`],
    ];
    for (const [read, path] of parts) {
      read(path) // scores and predictions may take seconds after the start of the server
        .catch((error) => error.status !== 404 && message(error.message, 'error'))
        .then(() => this.timeline.redraw());
    }
  }

  // -- what happens

  #shown(frame, image) {
    this.stage.show(frame, image);
    const seconds = this.times.seconds(frame);
    this.number.textContent = frame;
    this.number.dataset.frame = frame;
    this.time.textContent = clock(seconds);
    this.time.dataset.seconds = seconds;
    this.timeline.show(frame, !this.timeline.dragging);
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => this.#address(), 400);
  }

  // Keep the frame in the address, for a reload and for links.
  #address() {
    if (this.transport.playing) return;
    history.replaceState(history.state, '', `#/player/${name(this.session.active)}?frame=${this.session.frame}`);
  }

  #overlaid() {
    this.stage.redraw();
    this.loading.textContent = this.overlays.loading ? 'Loading poses' : '';
  }

  #state() {
    const { playing, speed, loop } = this.transport;
    this.play.textContent = playing ? 'Pause' : 'Play';
    this.play.setAttribute('aria-label', `${this.play.textContent}, Space`);
    this.speed.value = speed;
    this.looping.setAttribute('aria-pressed', Boolean(loop));
    this.timeline.redraw();
  }

  #changed() {
    if (!this.saved) return;
    const { state, reason } = this.store;
    this.saved.dataset.state = state;
    this.saved.textContent = { saved: 'Saved', saving: 'Saving', waiting: `Not saved yet, trying again: ${reason}` }[state];
    if (this.store.classes.join('\n') !== this.classes.join('\n')) {
      this.classes.splice(0, this.classes.length, ...this.store.classes);
      this.panel.redrawClasses();
    }
    const problem = this.store.problems[0];
    this.broken.hidden = !problem;
    this.broken.textContent = problem ? `Labels cannot be changed: ${problem}` : '';
    const { active } = this.session;
    this.athlete.value = active;
    this.panel.redraw();
    this.timeline.redraw();
    if (this.stage.active !== active) {
      this.stage.active = active;
      this.stage.redraw();
    }
  }

  async #look() {
    if (document.hidden || this.timeline.dragging) return;
    try {
      const count = await this.store.refresh();
      if (count) message(`${count} ${count === 1 ? 'label was' : 'labels were'} changed by another tab or tool`);
      if (this.offline) message('The server answers again');
      this.offline = false;
    } catch (error) {
      if (!this.offline) message(`The server does not answer: ${error.message}`, 'error');
      this.offline = true;
    }
  }

  async #ask(conflicts) {
    this.transport.pause();
    return conflict(conflicts);
  }

  async #changeClasses(body) {
    try {
      await api.post('classes', body);
      this.session.label = body.rename ?? body.name;
      await this.store.renamed(body.name, this.session.label);
      if (body.rename) for (const video of this.athletes) this.#loadValues(video);
    } catch (error) {
      message(error.message, 'error');
    }
  }

  #key(event) {
    if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && isField(event.target)) event.target.blur();
    const command = commandOf(event);
    if (!command) return;
    if (command[0] === 'athlete' && this.athletes.length < 2) return; // the page scrolls
    event.preventDefault();
    if (!event.repeat || REPEATED.has(command[0])) this.#do(...command);
  }

  #do(command, argument) {
    const { transport, session, store, timeline } = this;
    const commands = {
      toggle: () => transport.toggle(),
      step: (frames) => transport.step(frames),
      jump: (seconds) => transport.jump(seconds),
      go: (frame) => transport.go(frame < 0 ? this.row.num_frames + frame : frame),
      shuttle: (direction) => transport.shuttle(direction),
      pause: () => transport.pause(),
      speed: (steps) => transport.faster(steps),
      loop: () => this.#loop(),
      mark: (edge) => session.mark(edge),
      class: (index) => session.setClass(this.classes[index]),
      add: () => session.add(),
      cancel: () => timeline.cancel() || session.cancel() || (transport.loop && transport.setLoop(null)),
      split: () => session.split(),
      merge: () => session.merge(),
      delete: () => session.remove(),
      note: () => (session.single ? this.panel.note.focus() : session.say('Select the label that the note is for')),
      neighbour: (step) => this.#go(session.neighbour(step)),
      athlete: (step) => session.athlete(step),
      zoom: (factor) => timeline.zoom(factor),
      undo: () => store.undo() || session.say('Nothing to undo'),
      redo: () => store.redo() || session.say('Nothing to redo'),
      help,
    };
    commands[command](argument);
  }

  #go(segment) {
    if (segment) this.transport.go(segment.start_frame);
  }

  #loop() {
    if (this.transport.loop) this.transport.setLoop(null);
    else if (this.session.segment) this.transport.setLoop(this.session.segment);
    else message('Select a label, or go to one, to loop within it');
  }

  #model(colour) {
    const view = this;
    const values = (part) => (video) => view.#values.get(`${part}/${video}`) ?? null;
    return {
      times: this.times,
      athletes: this.athletes,
      labelsOf: (video) => view.store.of(video),
      predictionsOf: (video) => view.#values.get(`predictions/${video}`) ?? [],
      confidenceOf: values('confidence'),
      scoresOf: values('scores'),
      colourOf: colour,
      get active() {
        return view.session.active;
      },
      get selected() {
        const { selected, prediction } = view.session;
        return new Set(prediction ? [...selected, prediction] : selected);
      },
      get draft() {
        return view.session.draft;
      },
      get loop() {
        return view.transport.loop;
      },
    };
  }

  #pointer() {
    const { session } = this;
    return {
      seek: (frame) => this.transport.go(frame),
      select: (kind, segment, more) => (kind === 'predictions' ? session.selectPrediction(segment) : session.select(segment, more)),
      activate: (video) => session.activate(video),
      dragging: (frame) => this.transport.go(frame),
      change: (label, span) => {
        const current = this.store.labels.get(label.action_id);
        if (current && same({ ...current, ...span }, current)) return;
        if (current) session.edit(current, span);
      },
    };
  }
}

// A button, switch or choice that was clicked hands the keys back to the player; one reached with Tab keeps them.
let byPointer = false;
function releaseFocus({ type, target }) {
  if (type === 'pointerdown' || type === 'keydown') byPointer = type === 'pointerdown';
  else if (byPointer && target.closest(type === 'click' ? 'button' : 'input[type=checkbox], select')) document.activeElement?.blur();
}
