// Labels that a view adds, and the choice of a class.

import { post } from './api.js';
import { element } from './ui.js';

// The two ways of a decision that adds a label.
export function addLabel({ video, start_frame, end_frame, label }) {
  let added = null;
  return {
    redo: async () => {
      const answer = await post('labels', { changes: [{ before: null, after: { video, start_frame, end_frame, label } }] });
      [added] = answer.labels;
    },
    undo: () => post('labels', { changes: [{ before: added, after: null }] }),
  };
}

// The classes with their numbers; none is chosen where `chosen` is null.
export function classSelect(classes, chosen, attributes) {
  const option = (label, index) => element('option', { value: label, selected: label === chosen }, `${index + 1} ${label}`);
  const none = chosen === null ? element('option', { value: '' }, 'choose a class') : null;
  return element('select', attributes, none, ...classes.map(option));
}
