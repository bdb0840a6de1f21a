// Undo and redo of changes of labels.

import { idOf, inverse } from './segments.js';

export class UndoStack {
  #done = [];
  #undone = [];

  push(changes) {
    this.#done.push(changes);
    this.#undone = [];
  }

  // The changes that take back the last ones; null where there are none.
  undo() {
    const changes = this.#done.pop();
    if (!changes) return null;
    this.#undone.push(changes);
    return inverse(changes);
  }

  // The changes that were taken back last; null where there are none.
  redo() {
    const changes = this.#undone.pop();
    if (!changes) return null;
    this.#done.push(changes);
    return changes;
  }

  // Drop what touches these labels: another writer's values were kept.
  forget(ids) {
    const other = (changes) => !changes.some((change) => ids.has(idOf(change)));
    this.#done = this.#done.filter(other);
    this.#undone = this.#undone.filter(other);
  }

  // Follow a class that was renamed.
  rename(old, label) {
    const renamed = (one) => (one?.label === old ? { ...one, label } : one);
    const all = (changes) => changes.map(({ before, after }) => ({ before: renamed(before), after: renamed(after) }));
    this.#done = this.#done.map(all);
    this.#undone = this.#undone.map(all);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }
}
