// Images of frames: fetched by index, decoded off the main thread, kept, fetched ahead both ways.

// Frames to hold around one, in the order of need: its neighbours, two thirds of them ahead; then the targets of jumps.
export function plan(times, frame, direction, count) {
  const near = [];
  for (let step = 1; near.length < count - 4; step++) {
    near.push(frame + direction * step);
    if (step % 2 === 1 || step < 4) near.push(frame - direction * ((step < 4 ? step : (step + 3) >> 1)));
  }
  const jumps = [1, -1, 5, -5].map((seconds) => times.later(frame, seconds));
  const wanted = [...near.slice(0, 8), ...jumps, ...near.slice(8)];
  const inside = (n) => n >= 0 && n < times.numFrames && n !== frame;
  return [...new Set(wanted)].filter(inside);
}

export class FrameLoader {
  #images = new Map(); // least recently needed first
  #loading = new Map();
  #waiting = [];

  // load(frame, signal) -> an image with close(); capacity: images kept; parallel: requests at the same time.
  constructor({ load, capacity = 64, parallel = 3 }) {
    Object.assign(this, { load, capacity, parallel });
  }

  // The image, or null where it is not at hand.
  get(frame) {
    return this.#images.get(frame) ?? null;
  }

  // The image; `ahead` are the frames to fetch after it.  Requests for other frames are cancelled.
  async want(frame, ahead = []) {
    const needed = new Set([frame, ...ahead]);
    for (const [other, { controller }] of this.#loading) {
      if (needed.has(other)) continue;
      controller.abort();
      this.#loading.delete(other);
    }
    for (const other of [...ahead].reverse()) this.#touch(other);
    this.#touch(frame);
    this.#waiting = [...ahead];
    const image = this.get(frame) ?? this.#start(frame);
    this.#fill();
    return image;
  }

  close() {
    this.#waiting = [];
    for (const { controller } of this.#loading.values()) controller.abort();
    for (const image of this.#images.values()) image.close();
    this.#images.clear();
    this.capacity = 0;
  }

  #touch(frame) {
    const image = this.#images.get(frame);
    if (!image) return;
    this.#images.delete(frame);
    this.#images.set(frame, image);
  }

  #start(frame) {
    if (this.#loading.has(frame)) return this.#loading.get(frame).promise;
    const controller = new AbortController();
    const promise = this.load(frame, controller.signal).then((image) => this.#keep(frame, image));
    const entry = { controller, promise };
    this.#loading.set(frame, entry);
    promise
      .catch(() => {})
      .then(() => {
        if (this.#loading.get(frame) === entry) this.#loading.delete(frame);
        this.#fill();
      });
    return promise;
  }

  #keep(frame, image) {
    this.#images.get(frame)?.close();
    this.#images.delete(frame);
    this.#images.set(frame, image);
    for (const [other, old] of this.#images) {
      if (this.#images.size <= Math.max(1, this.capacity)) break;
      this.#images.delete(other);
      old.close();
    }
    return image;
  }

  #fill() {
    while (this.#waiting.length && this.#loading.size < this.parallel) {
      const frame = this.#waiting.shift();
      if (!this.#images.has(frame)) this.#start(frame).catch(() => {});
    }
  }
}
