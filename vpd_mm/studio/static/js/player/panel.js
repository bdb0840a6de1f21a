// The side of the player: buttons of classes, fields of the selected label, tables of labels and predictions.

import { searchLink } from '../clips.js';
import { element } from '../ui.js';
import { byStart } from './segments.js';

const MOST = 500; // rows of a table

export class Panel {
  #rows = new Map(); // action id -> the parts of its row

  // session: Session; colourOf(class); on: {command(name, argument), go(frame), addClass(name), renameClass(old, name)}.
  constructor({ session, colourOf, on }) {
    Object.assign(this, { session, colourOf, on });
    const button = (text, command, argument = null, key = '') =>
      element('button', { type: 'button', 'data-command': command, onclick: () => on.command(command, argument) }, text, key && element('kbd', {}, key));
    this.buttons = {
      start: button('Start', 'mark', 'start_frame', 'I'),
      end: button('End', 'mark', 'end_frame', 'O'),
      add: button('Add', 'add', null, 'A'),
      cancel: button('Cancel', 'cancel', null, 'Esc'),
      split: button('Split', 'split', null, 'S'),
      merge: button('Merge', 'merge', null, 'M'),
      delete: button('Delete', 'delete', null, 'Del'),
      undo: button('Undo', 'undo', null, 'Ctrl+Z'),
      redo: button('Redo', 'redo', null, 'Ctrl+Y'),
    };
    this.buttons.add.classList.add('main');
    this.what = element('p', { id: 'selection' });
    this.classes = element('div', { id: 'classes', class: 'classes', role: 'group', 'aria-label': 'Class' });
    this.note = element('textarea', { id: 'note', rows: 2, maxlength: 10000 });
    this.athlete = element('select', { id: 'label-athlete' }, ...session.athletes.map((video) => element('option', { value: video }, video)));
    this.similar = element('a', { id: 'similar' }, 'Search for similar segments');
    this.body = element('tbody');
    this.count = element('h2', { id: 'labels-title' });
    this.predicted = element('tbody');
    this.predictions = element('details', { id: 'predictions', hidden: true });
    this.root = element('aside', { class: 'side', 'aria-label': 'Labels' }, this.#editor(), this.#table());
    this.note.addEventListener('change', () => this.#editSingle({ note: this.note.value.trim() }));
    this.athlete.addEventListener('change', () => this.#editSingle({ video: this.athlete.value }));
    this.redrawClasses();
  }

  // Show the state of the session and its store.
  redraw() {
    const { session, buttons } = this;
    const { selected, single, prediction, draft, store } = session;
    const marked = draft.start_frame !== null || draft.end_frame !== null;
    this.what.textContent = this.#selection();
    const label = single?.label ?? prediction?.label ?? (selected.length ? null : session.label);
    for (const button of this.classes.children) button.setAttribute('aria-pressed', button.dataset.class === label);
    buttons.split.disabled = !single;
    buttons.merge.disabled = !selected.length;
    buttons.delete.disabled = !selected.length;
    buttons.cancel.disabled = !selected.length && !prediction && !marked;
    buttons.add.disabled = !prediction && draft.start_frame === null;
    buttons.undo.disabled = !store.canUndo;
    buttons.redo.disabled = !store.canRedo;
    this.note.disabled = this.athlete.disabled = !single;
    if (document.activeElement !== this.note || this.noted !== single?.action_id) this.note.value = single?.note ?? '';
    this.noted = single?.action_id;
    this.athlete.value = single?.video ?? session.active;
    const segment = session.segment;
    this.similar.hidden = !segment;
    if (segment) this.similar.href = searchLink(segment);
    this.#redrawRows();
  }

  redrawClasses() {
    const buttons = this.session.classes.map((label, index) => {
      const colour = element('i', { class: 'swatch', 'aria-hidden': 'true' });
      colour.style.backgroundColor = this.colourOf(label);
      const key = index < 9 ? element('kbd', {}, index + 1) : null;
      return element('button', { type: 'button', 'data-class': label, onclick: () => this.session.setClass(label) }, key, colour, label);
    });
    this.classes.replaceChildren(...buttons);
  }

  // predictions: of all athletes.
  setPredictions(predictions, stale) {
    const rows = [...predictions].sort(byStart).slice(0, MOST).map((prediction) => {
      const { start_frame, end_frame, label, score, video } = prediction;
      const show = () => {
        this.session.selectPrediction(prediction);
        this.on.go(start_frame);
      };
      return element(
        'tr',
        {},
        element('td', {}, element('button', { type: 'button', class: 'plain', onclick: show }, label)),
        element('td', { class: 'number' }, start_frame),
        element('td', { class: 'number' }, end_frame),
        element('td', { class: 'number' }, `${Math.round(100 * score)} %`),
        this.session.athletes.length > 1 ? element('td', {}, video) : null,
      );
    });
    this.predictions.hidden = !predictions.length;
    const more = predictions.length > MOST ? `, the first ${MOST}` : '';
    this.predictions.replaceChildren(
      element('summary', {}, `Predictions (${predictions.length}${more}${stale ? ', labels have changed since' : ''})`),
      element('p', { class: 'muted' }, 'Select one and press A to add it as a label.'),
      element('div', { class: 'scroll' }, element('table', {}, this.#head('Score'), element('tbody', {}, ...rows))),
    );
  }

  #editor() {
    const { buttons } = this;
    const added = element('input', { id: 'new-class', maxlength: 100, autocomplete: 'off' });
    const add = (event) => {
      event.preventDefault();
      if (added.value.trim()) this.on.addClass(added.value.trim());
      added.value = '';
    };
    const renamed = element('input', { id: 'renamed-class', maxlength: 100, autocomplete: 'off' });
    const rename = (event) => {
      event.preventDefault();
      const old = this.session.single?.label ?? this.session.label;
      if (!old) this.session.say('Choose the class to rename first');
      else if (renamed.value.trim()) this.on.renameClass(old, renamed.value.trim());
      renamed.value = '';
    };
    return element(
      'section',
      { class: 'panel stack', 'aria-label': 'Edit' },
      this.what,
      element('div', { class: 'buttons' }, buttons.start, buttons.end, buttons.add, buttons.cancel),
      this.classes,
      element('div', { class: 'buttons' }, buttons.split, buttons.merge, buttons.delete, buttons.undo, buttons.redo),
      element('label', { for: 'note' }, 'Note', this.note),
      element('label', { for: 'label-athlete', hidden: this.session.athletes.length < 2 }, 'Athlete of the label', this.athlete),
      this.similar,
      element(
        'details',
        { open: !this.session.classes.length },
        element('summary', {}, 'Add or rename a class'),
        element('form', { class: 'row', onsubmit: add }, element('label', { for: 'new-class' }, 'New class', added), element('button', {}, 'Add class')),
        element('form', { class: 'row', onsubmit: rename }, element('label', { for: 'renamed-class' }, 'New name of the chosen class', renamed), element('button', {}, 'Rename')),
      ),
    );
  }

  #table() {
    const table = element('table', { id: 'labels', 'aria-labelledby': 'labels-title' }, this.#head(null), this.body);
    return element('section', { class: 'panel' }, this.count, element('p', { class: 'muted' }, 'Frames count from 0; the end is the frame after the last one.'), element('div', { class: 'scroll tall', tabindex: 0, role: 'group', 'aria-labelledby': 'labels-title' }, table), this.predictions);
  }

  #head(last) {
    const titles = ['Class', 'Start', 'End', last, this.session.athletes.length > 1 ? 'Athlete' : null];
    return element('thead', {}, element('tr', {}, ...titles.filter(Boolean).map((title) => element('th', { scope: 'col' }, title))));
  }

  #selection() {
    const { selected, single, prediction, draft, label, active, athletes } = this.session;
    const whose = athletes.length > 1 ? ` of ${single?.video ?? prediction?.video ?? active}` : '';
    if (single) return `Selected: ${single.label}, frames ${single.start_frame} to ${single.end_frame}${whose}`;
    if (selected.length) return `${selected.length} labels selected`;
    if (prediction) return `Predicted: ${prediction.label}, frames ${prediction.start_frame} to ${prediction.end_frame}${whose}`;
    if (draft.start_frame === null && draft.end_frame === null) return `New label${whose}: mark its start and its end`;
    return `New label${whose}: ${label ?? 'class?'}, frames ${draft.start_frame ?? '?'} to ${draft.end_frame ?? '?'}`;
  }

  #editSingle(fields) {
    const label = this.session.store.labels.get(this.noted);
    if (label) this.session.edit(label, fields);
  }

  #redrawRows() {
    const { session } = this;
    const labels = session.athletes.flatMap((video) => session.store.of(video)).sort(byStart);
    this.count.textContent = `Labels (${labels.length}${labels.length > MOST ? `, ${MOST} of them below` : ''})`;
    const ids = new Set(session.selected.map(({ action_id }) => action_id));
    const near = labels.length > MOST ? labels.filter(({ action_id }) => ids.has(action_id)) : [];
    const shown = [...new Set([...near, ...labels.slice(0, MOST)])];
    const kept = new Set(shown.map(({ action_id }) => action_id));
    for (const [id, row] of this.#rows) {
      if (kept.has(id)) continue;
      row.root.remove();
      this.#rows.delete(id);
    }
    shown.forEach((label, index) => {
      const row = this.#rows.get(label.action_id) ?? this.#row(label);
      const selected = ids.has(label.action_id);
      row.root.setAttribute('aria-selected', selected);
      row.pick.setAttribute('aria-pressed', selected);
      row.text.textContent = label.label;
      row.text.title = label.note ?? '';
      row.swatch.style.backgroundColor = this.colourOf(label.label);
      row.video.textContent = label.video;
      for (const edge of ['start_frame', 'end_frame']) {
        if (document.activeElement !== row[edge] || row.shown?.[edge] !== label[edge]) row[edge].value = label[edge];
        row[edge].setAttribute('aria-label', `${edge === 'start_frame' ? 'Start' : 'End'} of ${label.label}`);
      }
      row.shown = label;
      row.note.hidden = !label.note;
      row.note.textContent = label.note ?? '';
      if (this.body.children[index] !== row.root) this.body.insertBefore(row.root, this.body.children[index] ?? null);
    });
  }

  #row({ action_id }) {
    const { session } = this;
    const current = () => session.store.labels.get(action_id);
    const field = (edge) => {
      const input = element('input', { type: 'number', min: 0, max: session.numFrames, step: 1, required: true });
      input.addEventListener('change', () => {
        const label = current();
        if (!label) return;
        const value = input.value === '' ? NaN : Number(input.value);
        if (session.edit(label, { [edge]: value })) this.on.go(edge === 'end_frame' ? value - 1 : value);
        else input.value = label[edge];
      });
      return input;
    };
    const parts = {
      swatch: element('i', { class: 'swatch', 'aria-hidden': 'true' }),
      text: element('span'),
      note: element('small', { class: 'muted' }),
      video: element('td', { hidden: session.athletes.length < 2 }),
      start_frame: field('start_frame'),
      end_frame: field('end_frame'),
    };
    const pick = (event) => {
      const label = current();
      session.select(label, event.shiftKey);
      this.on.go(label.start_frame);
    };
    parts.pick = element('button', { type: 'button', class: 'plain', onclick: pick }, parts.swatch, parts.text);
    parts.root = element(
      'tr',
      { 'data-action-id': action_id },
      element('td', {}, parts.pick, parts.note),
      element('td', {}, parts.start_frame),
      element('td', {}, parts.end_frame),
      parts.video,
    );
    this.#rows.set(action_id, parts);
    return parts;
  }
}
