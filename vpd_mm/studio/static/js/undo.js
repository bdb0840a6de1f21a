// Decisions that can be undone: each is {text, redo, undo}, two functions that return promises.

import { message } from './ui.js';

export class Decisions {
  #done = [];
  #undone = [];
  #last = Promise.resolve();

  get canUndo() {
    return this.#done.length > 0;
  }

  // Do a decision and remember it; decisions are carried out one after the other.
  make(decision) {
    return this.#run(async () => {
      await decision.redo();
      this.#done.push(decision);
      this.#undone = [];
      message(decision.text);
    });
  }

  undo = () => this.#move(this.#done, this.#undone, 'undo');
  redo = () => this.#move(this.#undone, this.#done, 'redo');

  #move(from, to, way) {
    return this.#run(async () => {
      const decision = from.at(-1);
      if (!decision) return message(`Nothing to ${way}`);
      await decision[way]();
      to.push(from.pop());
      message(`${way === 'undo' ? 'Undone' : 'Done again'}: ${decision.text}`);
    });
  }

  #run(action) {
    this.#last = this.#last.then(action).catch((error) => message(error.message, 'error'));
    return this.#last;
  }
}
