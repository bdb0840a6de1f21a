// Edits of labels, as changes {before: label | null, after: label | null}: the form in which they are saved and undone.
// A label is {action_id, video, start_frame, end_frame, label, note, ...}; end_frame is not part of it.

// An id that no other tab or tool gives.
export function newId(video) {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `${video}:${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export const add = (fields) => [{ before: null, after: { note: '', ...fields, action_id: newId(fields.video) } }];
export const remove = (labels) => labels.map((before) => ({ before, after: null }));

// Change fields of a label; no change where they have these values.
export function edit(before, fields) {
  const after = { ...before, ...fields };
  return same(before, after) ? [] : [{ before, after }];
}

// The span with one edge ('start_frame' or 'end_frame') at a frame; at least one frame remains.
export function resized({ start_frame, end_frame }, edge, frame, numFrames) {
  if (edge === 'start_frame') return { start_frame: clip(frame, 0, end_frame - 1), end_frame };
  return { start_frame, end_frame: clip(frame, start_frame + 1, numFrames) };
}

// The span moved so that it begins at a frame, within the video.
export function moved({ start_frame, end_frame }, frame, numFrames) {
  const length = end_frame - start_frame;
  const start = clip(frame, 0, numFrames - length);
  return { start_frame: start, end_frame: start + length };
}

// Two labels of which the second begins at the frame; none where the frame lies outside or on the first frame.
export function split(label, frame) {
  if (frame <= label.start_frame || frame >= label.end_frame) return [];
  const second = { ...label, start_frame: frame, action_id: newId(label.video) };
  return [...edit(label, { end_frame: frame }), { before: null, after: second }];
}

// One label from the first start to the last end, with the class of the first; notes are joined.
export function merge(labels) {
  const [first, ...rest] = [...labels].sort(byStart);
  const notes = [...new Set([first, ...rest].map((label) => label.note).filter(Boolean))].join('; ');
  const end_frame = Math.max(...labels.map((label) => label.end_frame));
  return [...edit(first, { end_frame, note: notes }), ...remove(rest)];
}

export const inverse = (changes) => changes.map(({ before, after }) => ({ before: after, after: before })).reverse();
export const idOf = ({ before, after }) => (before ?? after).action_id;
export const byStart = (a, b) => a.start_frame - b.start_frame || a.end_frame - b.end_frame;

// Equal values in all fields of either; an absent note is an empty one.
export function same(a, b) {
  if (!a || !b) return a === b;
  return Object.keys({ ...a, ...b }).every((key) => (a[key] ?? '') === (b[key] ?? ''));
}

// A row for each segment, so that segments of one row do not overlap: Map(segment -> row), and how many rows.
export function rows(segments) {
  const ends = [];
  const rowOf = new Map();
  for (const segment of [...segments].sort(byStart)) {
    let row = ends.findIndex((end) => end <= segment.start_frame);
    if (row < 0) row = ends.length;
    ends[row] = segment.end_frame;
    rowOf.set(segment, row);
  }
  return { rowOf, count: Math.max(1, ends.length) };
}

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
