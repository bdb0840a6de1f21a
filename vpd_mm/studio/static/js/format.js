// Numbers as people read them.

export const percent = (share, digits = 0) => (share == null ? '-' : `${(100 * share).toFixed(digits)} %`);

export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

export const counted = (number, noun, plural = `${noun}s`) => `${number.toLocaleString('en')} ${number === 1 ? noun : plural}`;

export const frames = ({ start_frame, end_frame }) => `frames ${start_frame} to ${end_frame}`;
