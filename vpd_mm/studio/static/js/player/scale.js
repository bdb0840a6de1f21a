// Which frames the timeline shows, and where.

const LEAST = 10; // frames in sight

export class Scale {
  constructor(numFrames) {
    this.numFrames = numFrames;
    this.start = 0;
    this.end = numFrames;
    this.width = 1; // px
  }

  x(frame) {
    return ((frame - this.start) / (this.end - this.start)) * this.width;
  }

  // The frame under a position, within the video.
  frame(x) {
    return Math.min(Math.max(Math.floor(this.position(x)), 0), this.numFrames - 1);
  }

  // As `frame`, as a fraction and also beyond the ends.
  position(x) {
    return this.start + (x / this.width) * (this.end - this.start);
  }

  // Zoom so that what lies at frame `around` stays there; factor 0 shows everything.
  zoom(factor, around) {
    const length = factor === 0 ? this.numFrames : (this.end - this.start) / factor;
    const share = (around - this.start) / (this.end - this.start);
    this.#set(around - share * Math.min(length, this.numFrames), length);
  }

  pan(frames) {
    this.#set(this.start + frames, this.end - this.start);
  }

  // Bring a frame into sight, as far as needed.
  reveal(frame) {
    const length = this.end - this.start;
    if (frame < this.start || frame >= this.end) this.#set(frame - length / 10, length);
  }

  #set(start, length) {
    const shown = Math.min(Math.max(length, Math.min(LEAST, this.numFrames)), this.numFrames);
    this.start = Math.min(Math.max(start, 0), this.numFrames - shown);
    this.end = this.start + shown;
  }
}

// Frames and times of the marks of the ruler: round seconds at least `apart` px from each other.
export function ticks(scale, times, apart = 80) {
  const first = times.seconds(Math.max(0, Math.floor(scale.start)));
  const last = times.seconds(Math.min(times.numFrames, Math.ceil(scale.end)));
  const least = ((last - first) * apart) / scale.width;
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = steps.find((value) => value >= least) ?? 7200;
  const marks = [];
  for (let k = Math.max(0, Math.ceil(first / step - 1e-9)); k * step <= last; k++) {
    marks.push({ frame: times.nearest(k * step), seconds: k * step });
  }
  return marks;
}
