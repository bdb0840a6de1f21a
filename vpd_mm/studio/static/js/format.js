// Numbers as people read them.

export const percent = (share, digits = 0) => (share == null ? '-' : `${(100 * share).toFixed(digits)} %`);

export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

export const counted = (number, noun, plural = `${noun}s`) => `${number.toLocaleString('en')} ${number === 1 ? noun : plural}`;

// What a change did to the classes: { before, after } are their names.
export function classChange({ before, after }) {
  const words = after.map((label, index) => (label === before[index] ? null : before[index] ? `renamed class ${before[index]} to ${label}` : `added class ${label}`));
  return [...words, ...before.slice(after.length).map((label) => `removed class ${label}`)].filter(Boolean).join(', ');
}

export const frames = ({ start_frame, end_frame }) => `frames ${start_frame} to ${end_frame}`;
