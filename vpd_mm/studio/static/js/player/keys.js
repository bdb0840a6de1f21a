// Keys of the player: one table for what they do and for the help.

import { isField, keyName } from '../keys.js';

// [keys, name of the command, its argument, what it does]
export const KEYS = [
  [['Space'], 'toggle', null, 'Play or pause'],
  [['ArrowLeft'], 'step', -1, 'One frame back'],
  [['ArrowRight'], 'step', 1, 'One frame forward'],
  [['Ctrl+ArrowLeft'], 'jump', -1, 'One second back'],
  [['Ctrl+ArrowRight'], 'jump', 1, 'One second forward'],
  [['Ctrl+Shift+ArrowLeft'], 'jump', -5, 'Five seconds back'],
  [['Ctrl+Shift+ArrowRight'], 'jump', 5, 'Five seconds forward'],
  [['Home'], 'go', 0, 'First frame'],
  [['End'], 'go', -1, 'Last frame'],
  [['J'], 'shuttle', -1, 'Play backward; again: faster'],
  [['K'], 'pause', null, 'Pause'],
  [['L'], 'shuttle', 1, 'Play forward; again: faster'],
  [['<'], 'speed', -1, 'Slower, down to 0.1x'],
  [['>'], 'speed', 1, 'Faster, up to 4x'],
  [['P'], 'loop', null, 'Loop within the segment, or stop looping'],
  [['I'], 'mark', 'start_frame', 'The segment starts at this frame'],
  [['O'], 'mark', 'end_frame', 'This frame is the last one of the segment'],
  [['1-9'], 'class', null, 'Class of the segment'],
  [['A'], 'add', null, 'Add the marked segment, or the selected prediction, as a label'],
  [['Escape'], 'cancel', null, 'Cancel: the drag, the marks, the selection, the loop'],
  [['S'], 'split', null, 'Split the selected label; the second part starts at this frame'],
  [['M'], 'merge', null, 'Merge the selected labels, or the selected one with the next'],
  [['Delete', 'Backspace'], 'delete', null, 'Delete the selected labels'],
  [['N'], 'note', null, 'Write the note of the selected label'],
  [['['], 'neighbour', -1, 'Previous label'],
  [[']'], 'neighbour', 1, 'Next label'],
  [['ArrowUp'], 'athlete', -1, 'Previous athlete'],
  [['ArrowDown'], 'athlete', 1, 'Next athlete'],
  [['+', '='], 'zoom', 2, 'Zoom into the timeline'],
  [['-'], 'zoom', 0.5, 'Zoom out'],
  [['0'], 'zoom', 0, 'Show the whole timeline'],
  [['Ctrl+Z'], 'undo', null, 'Undo'],
  [['Ctrl+Shift+Z', 'Ctrl+Y'], 'redo', null, 'Redo'],
  [['?'], 'help', null, 'Show these keys'],
];

const COMMANDS = new Map(KEYS.flatMap(([keys, ...command]) => keys.map((key) => [key, command])));
const PRESSED_BY_SPACE = 'button, a[href], summary, input[type=checkbox], input[type=radio]';

// [name, argument] of the command of a key event; null where there is none, or where the key belongs to a field.
export function commandOf(event) {
  const target = event.target;
  if (event.isComposing || isField(target)) return null;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const digit = plain && (/^[1-9]$/.exec(event.key)?.[0] ?? /^Digit([1-9])$/.exec(!event.shiftKey && event.code)?.[1]);
  if (digit) return ['class', Number(digit) - 1];
  const name = keyName(event);
  if (name === 'Space' && target?.closest?.(PRESSED_BY_SPACE)) return null;
  return COMMANDS.get(name)?.slice(0, 2) ?? null;
}
