// Labels of the athletes of one file: edits show at once and are saved in their order in the background.
//
// Each change is sent with the label it started from.  Where the stored label is another one, the server answers 409
// and `onConflict` decides between the two values; nothing is overwritten without a question.

import { UndoStack } from '../undo.js';
import { idOf, inverse, same } from './segments.js';

export class LabelStore {
  #stored = new Map(); // as the server holds them
  #queue = []; // changes to save, oldest first
  #saving = false;
  #closed = false;
  #undo = new UndoStack();

  // api: {get(path), post(path, body)}; onChange(store); onConflict([{mine, theirs}]) -> 'mine' | 'theirs';
  // onError(line); wait(milliseconds).
  constructor({ videos, api, onChange, onConflict, onError, wait = sleep }) {
    Object.assign(this, { videos, api, onChange, onConflict, onError, wait });
    this.labels = new Map();
    this.state = 'saved'; // 'saving'; 'waiting': the server does not answer or cannot write, it is tried again
    this.reason = '';
    this.version = null;
    this.classes = [];
    this.problems = []; // lines of files that are not valid: nothing is saved before they are corrected
  }

  get pending() {
    return this.#queue.length;
  }

  get canUndo() {
    return this.#undo.canUndo;
  }

  get canRedo() {
    return this.#undo.canRedo;
  }

  of(video) {
    return [...this.labels.values()].filter((label) => label.video === video);
  }

  async load() {
    this.#stored = await this.#fetch();
    this.#rebuild();
  }

  // Show what others have changed; the number of labels that differ.  Not while own changes are on their way.
  async refresh() {
    if (this.#queue.length || this.#closed) return 0;
    const known = this.version;
    const stored = await this.#fetch();
    if (this.#queue.length || this.#closed || this.version === known) return 0;
    const ids = new Set([...stored.keys(), ...this.#stored.keys()]);
    const differ = [...ids].filter((id) => !same(stored.get(id) ?? null, this.#stored.get(id) ?? null));
    this.#stored = stored;
    this.#rebuild();
    return differ.length;
  }

  change(changes) {
    if (!changes.length) return;
    this.#undo.push(changes);
    this.#enqueue(changes);
  }

  // True where there was something to take back.
  undo() {
    const changes = this.#undo.undo();
    return this.#enqueue(changes && inverse(changes));
  }

  redo() {
    return this.#enqueue(this.#undo.redo());
  }

  // Follow a class that was renamed on the server.
  async renamed(old, label) {
    const named = (one) => (one?.label === old ? { ...one, label } : one);
    const renamed = (changes) => changes.map(({ before, after }) => ({ before: named(before), after: named(after) }));
    this.#undo.change((steps) => steps.map(renamed));
    await this.refresh();
  }

  close() {
    this.#closed = true;
  }

  async #fetch() {
    const stored = new Map();
    for (const video of this.videos) {
      const { labels, ...state } = await this.api.get(`labels?video=${encodeURIComponent(video)}`);
      Object.assign(this, state);
      for (const label of labels) stored.set(label.action_id, label);
    }
    return stored;
  }

  #enqueue(changes) {
    if (!changes) return false;
    this.#queue.push(changes);
    this.#apply(changes);
    this.onChange(this);
    this.#save();
    return true;
  }

  #apply(changes) {
    for (const change of changes) {
      if (change.after) this.labels.set(idOf(change), change.after);
      else this.labels.delete(idOf(change));
    }
  }

  #rebuild() {
    this.labels = new Map(this.#stored);
    for (const changes of this.#queue) this.#apply(changes);
    this.onChange(this);
  }

  #show(state, reason = '') {
    Object.assign(this, { state, reason });
    this.onChange(this);
  }

  // Fields that the server adds to a new label (its split) are those of the stored one.
  #complete({ before, after }, stored = this.#stored) {
    const known = stored.get(idOf({ before, after }));
    return { before: before && { ...known, ...before }, after: after && { ...known, ...after } };
  }

  async #save() {
    if (this.#saving) return;
    this.#saving = true;
    let pause = 500;
    while (this.#queue.length) {
      const changes = this.#queue[0].map((change) => this.#complete(change));
      this.#show(this.state === 'waiting' ? 'waiting' : 'saving', this.reason);
      try {
        const { labels } = await this.api.post('labels', { changes });
        this.version = null; // others may have written in between: the next look compares all labels
        this.#saved(changes, labels);
        pause = 500;
        this.state = 'saving';
        this.reason = '';
      } catch (error) {
        if (error.status === 409) await this.#conflict(changes).catch((problem) => this.onError(problem.message));
        else if (error.status >= 400 && error.status < 500) await this.#refused(error);
        else {
          this.#show('waiting', error.message);
          await this.wait(pause);
          pause = Math.min(2 * pause, 8000);
        }
      }
    }
    this.#saving = false;
    this.#show('saved');
  }

  #saved(changes, labels) {
    const answers = new Map(labels.filter(Boolean).map((label) => [label.action_id, label]));
    for (const change of changes) {
      const id = idOf(change);
      if (change.after) this.#stored.set(id, answers.get(id) ?? change.after);
      else this.#stored.delete(id);
    }
    this.#queue.shift();
    this.#rebuild();
  }

  async #refused(error) {
    this.onError(error.message);
    this.#drop(new Set(this.#queue[0].map(idOf)));
    this.#stored = await this.#fetch().catch(() => this.#stored);
    this.#rebuild();
  }

  async #conflict(changes) {
    const stored = await this.#fetch();
    const differs = (change, value) => !same(stored.get(idOf(change)) ?? null, value);
    this.#stored = stored;
    if (!changes.some((change) => differs(change, change.after && { ...stored.get(idOf(change)), ...change.after }))) {
      this.#queue.shift(); // saved before, and the answer was lost
      return this.#rebuild();
    }
    const conflicts = changes.filter((change) => differs(change, change.before));
    if (!conflicts.length) return undefined;
    const theirs = conflicts.map((change) => ({ mine: change.after, theirs: stored.get(idOf(change)) ?? null }));
    if ((await this.onConflict(theirs)) === 'mine') {
      const before = (change) => stored.get(idOf(change)) ?? null;
      this.#queue[0] = changes
        .map((change) => ({ before: before(change), after: change.after }))
        .filter((change) => change.before || change.after);
      if (!this.#queue[0].length) this.#queue.shift();
    } else this.#drop(new Set(changes.map(idOf)));
    return this.#rebuild();
  }

  // Give up the first changes, and later ones that build on them.
  #drop(ids) {
    const other = (changes) => !changes.some((change) => ids.has(idOf(change)));
    this.#queue = this.#queue.slice(1).filter(other);
    this.#undo.change((steps) => steps.filter(other));
  }
}

function sleep(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}
