// What is marked and selected, and what the editing commands do to labels; it knows no page.

import * as segments from './segments.js';

const NOTHING = { start_frame: null, end_frame: null };

export class Session {
  #ids = new Set(); // of the selected labels

  // store: LabelStore; active: the athlete who is labelled; say(text); onChange(); frameOf() is the frame on
  // screen, or on its way there: keys count in the order in which they are pressed.
  constructor({ numFrames, athletes, active, classes, store, say, onChange, frameOf }) {
    Object.assign(this, { numFrames, athletes, active, classes, store, say, onChange, frameOf });
    this.draft = NOTHING; // the marks of a new label
    this.label = null; // class of the next label
    this.prediction = null;
  }

  get frame() {
    return this.frameOf();
  }

  // Selected labels in the order of time.
  get selected() {
    return [...this.#ids].map((id) => this.store.labels.get(id)).filter(Boolean).sort(segments.byStart);
  }

  // The selected label where it is one.
  get single() {
    const { selected } = this;
    return selected.length === 1 ? selected[0] : null;
  }

  // The segment that a loop or a search takes: of the selection, the marks, or the labels at this frame.
  get segment() {
    const { single, prediction, draft } = this;
    if (single ?? prediction) return single ?? prediction;
    if (draft.start_frame !== null && draft.end_frame !== null) return { video: this.active, ...draft };
    const here = ({ start_frame, end_frame }) => start_frame <= this.frame && this.frame < end_frame;
    return this.store.of(this.active).find(here) ?? null;
  }

  activate(video) {
    this.active = video;
    this.onChange();
  }

  athlete(step) {
    const { athletes } = this;
    this.activate(athletes[(athletes.indexOf(this.active) + step + athletes.length) % athletes.length]);
  }

  // Select a label, with `more` beside the others; null selects nothing.
  select(label, more = false) {
    if (!more) this.#ids.clear();
    this.prediction = null;
    if (label && more && this.#ids.delete(label.action_id)) return this.onChange();
    if (label) {
      this.#ids.add(label.action_id);
      this.active = label.video;
    }
    return this.onChange();
  }

  selectPrediction(prediction) {
    this.#ids.clear();
    this.prediction = prediction;
    this.active = prediction.video;
    this.onChange();
  }

  // The label before or after the selected one; without one, that starts at this frame or before it, or after it.  Of the
  // active athlete; null at the ends.
  neighbour(step) {
    const labels = this.store.of(this.active).sort(segments.byStart);
    const { single, frame } = this;
    const index = single
      ? labels.findIndex(({ action_id }) => action_id === single.action_id) + step
      : step > 0
        ? labels.findIndex((label) => label.start_frame > frame)
        : labels.findLastIndex((label) => label.start_frame <= frame);
    if (labels[index]) this.select(labels[index]);
    return labels[index] ?? null;
  }

  // 'start_frame': the segment starts at this frame.  'end_frame': this frame is its last one.
  mark(edge) {
    const value = edge === 'start_frame' ? this.frame : this.frame + 1;
    const { single } = this;
    if (single) {
      const span = { ...single, [edge]: value };
      if (span.start_frame >= span.end_frame) return this.say('The start must lie before the end; Esc ends the selection');
      return this.store.change(segments.edit(single, { [edge]: value }));
    }
    const draft = { ...this.draft, [edge]: value };
    const crossed = draft.start_frame !== null && draft.end_frame !== null && draft.start_frame >= draft.end_frame;
    this.draft = crossed ? { ...NOTHING, [edge]: value } : draft;
    return this.onChange();
  }

  // Class of the selected labels, else of the next one.  A selected prediction becomes marks, for A to add.
  setClass(label) {
    if (label === undefined) return undefined;
    const { selected, prediction } = this;
    if (selected.length) return this.store.change(selected.flatMap((one) => segments.edit(one, { label })));
    if (prediction) {
      this.draft = { start_frame: prediction.start_frame, end_frame: prediction.end_frame };
      this.prediction = null;
    }
    this.label = label;
    return this.onChange();
  }

  // Add the selected prediction, or the marks; without a mark of the end the segment ends at this frame.
  add() {
    const { start_frame } = this.draft;
    const span = this.prediction ?? { start_frame, end_frame: this.draft.end_frame ?? this.frame + 1 };
    const label = this.prediction?.label ?? this.label;
    if (span.start_frame === null) return this.say('Mark the first frame with I and the last one with O, then press A');
    if (span.start_frame >= span.end_frame) return this.say('The end must lie behind the start: go to the last frame and press O');
    if (!label) return this.say(this.classes.length ? 'Choose the class first: a number key or a button' : 'Add a class first, beside the video');
    const fields = { video: this.active, start_frame: span.start_frame, end_frame: span.end_frame, label };
    this.draft = NOTHING;
    this.prediction = null;
    this.#ids.clear();
    this.store.change(segments.add(fields));
    return this.say(`Added: ${label}, frames ${fields.start_frame} to ${fields.end_frame}`);
  }

  // True where there was something to give up.
  cancel() {
    const marked = this.draft.start_frame !== null || this.draft.end_frame !== null;
    const had = marked || this.#ids.size > 0 || this.prediction !== null;
    if (marked) this.draft = NOTHING;
    else this.#ids.clear();
    this.prediction = null;
    if (had) this.onChange();
    return had;
  }

  split() {
    const { single } = this;
    if (!single) return this.say('Select one label to split');
    const changes = segments.split(single, this.frame);
    if (!changes.length) return this.say('Go to a frame within the label: its second part will start there');
    return this.store.change(changes);
  }

  // Merge the selected labels; one with the next of its athlete.
  merge() {
    let { selected } = this;
    if (selected.length === 1) {
      const labels = this.store.of(selected[0].video).sort(segments.byStart);
      selected = labels.slice(labels.indexOf(selected[0])).slice(0, 2);
    }
    if (selected.length < 2) return this.say('Select the labels to merge, or one that another follows');
    if (new Set(selected.map(({ video }) => video)).size > 1) return this.say('Labels of two athletes cannot be merged');
    this.#ids = new Set([selected[0].action_id]);
    return this.store.change(segments.merge(selected));
  }

  remove() {
    const { selected } = this;
    if (!selected.length) return this.say('Select a label to delete');
    this.#ids.clear();
    return this.store.change(segments.remove(selected));
  }

  // Set fields of a label, as typed: {start_frame, end_frame, label, note, video}.  True where they are valid.
  edit(label, fields) {
    const after = { ...label, ...fields };
    const whole = Number.isInteger(after.start_frame) && Number.isInteger(after.end_frame);
    if (!whole || after.start_frame < 0 || after.start_frame >= after.end_frame || after.end_frame > this.numFrames) {
      this.say(`Frames: 0 to ${this.numFrames}, the start before the end`);
      return false;
    }
    this.store.change(segments.edit(label, fields));
    return true;
  }
}
