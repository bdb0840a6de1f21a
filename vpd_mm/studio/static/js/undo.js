// Undo and redo.

import { message } from './ui.js';

// Steps that were made and that were taken back.
export class UndoStack {
  #done = [];
  #undone = [];

  push(step) {
    this.#done.push(step);
    this.#undone = [];
  }

  // The step to take back; undefined where there is none.
  undo() {
    return move(this.#done, this.#undone);
  }

  // The step to make again; undefined where there is none.
  redo() {
    return move(this.#undone, this.#done);
  }

  // Replace the steps, made and taken back, by `change(steps)`.
  change(change) {
    this.#done = change(this.#done);
    this.#undone = change(this.#undone);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }
}

function move(from, to) {
  const step = from.pop();
  if (step) to.push(step);
  return step;
}

// Decisions that can be undone: each is {text, redo, undo, shown}: two functions that return promises, and shown(done),
// which is called after each of them, also after a failure, with whether the decision holds now.
export class Decisions {
  #stack = new UndoStack();
  #last = Promise.resolve();

  // Do a decision and remember it; decisions are carried out one after the other.
  make(decision) {
    return this.#run(async () => {
      try {
        await decision.redo();
      } catch (error) {
        decision.shown(false);
        throw error;
      }
      this.#stack.push(decision);
      decision.shown(true);
      message(decision.text);
    });
  }

  undo = () => this.#move('undo', 'redo', 'Undone');
  redo = () => this.#move('redo', 'undo', 'Done again');

  #move(way, back, words) {
    return this.#run(async () => {
      const decision = this.#stack[way]();
      if (!decision) return message(`Nothing to ${way}`);
      try {
        await decision[way]();
      } catch (error) {
        this.#stack[back]();
        throw error;
      }
      decision.shown(way === 'redo');
      message(`${words}: ${decision.text}`);
    });
  }

  #run(action) {
    this.#last = this.#last.then(action).catch((error) => message(error.message, 'error'));
    return this.#last;
  }
}
