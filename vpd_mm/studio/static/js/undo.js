// Decisions that can be undone: each is {text, redo, undo, shown}: two functions that return promises, and shown(done),
// which is called after each of them, also after a failure, with whether the decision holds now.

import { message } from './ui.js';

export class Decisions {
  #done = [];
  #undone = [];
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
      this.#done.push(decision);
      this.#undone = [];
      decision.shown(true);
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
      decision.shown(way === 'redo');
      message(`${way === 'undo' ? 'Undone' : 'Done again'}: ${decision.text}`);
    });
  }

  #run(action) {
    this.#last = this.#last.then(action).catch((error) => message(error.message, 'error'));
    return this.#last;
  }
}
