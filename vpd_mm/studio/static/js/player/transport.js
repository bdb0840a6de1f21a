// Position and playback of one video.
//
// `onShow(frame, image)` is called with an image and its frame number together, and with nothing else: what the page
// says about the position it says there.  Frames are shown by index; a <video> is only the source of images while
// playing forward at normal speed or faster, where the browser tells the time stamp of each image.  Slow motion,
// backward, loops and videos that the browser cannot play step by index.

import { plan } from './frames.js';

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

export class Transport {
  #order = 0; // of the last request for a frame
  #shownOrder = 0;
  #direction = 1;
  #turn = 0; // of playing; a new one ends the old one
  #preview; // a <video>, ready; false where the browser cannot play the file

  // loader: FrameLoader; video: an unused <video>, its file at `url`, '' for none; onState(): playing, speed or loop have changed.
  constructor({ times, loader, video, url, onShow, onState, onError }) {
    Object.assign(this, { times, loader, video, url, onShow, onState, onError });
    this.frame = null; // on screen
    this.target = 0; // on screen or on its way
    this.playing = 0; // -1 backward, 0 no, 1 forward
    this.speed = 1;
    this.loop = null; // {start_frame, end_frame}
  }

  // Show a frame, at once where it is at hand; resolves when it, or a later wish, is on screen.
  async seek(frame) {
    const target = Math.min(Math.max(Math.round(frame), 0), this.times.numFrames - 1);
    if (target !== this.target) this.#direction = target < this.target ? -1 : 1;
    this.target = target;
    const order = ++this.#order;
    const ready = this.loader.get(target);
    if (ready) this.#show(target, ready, order);
    const ahead = plan(this.times, target, this.#direction, this.loader.capacity);
    try {
      const image = await this.loader.want(target, ahead);
      if (!ready && order > this.#shownOrder) this.#show(target, image, order);
    } catch (error) {
      if (error.name !== 'AbortError' && order === this.#order) this.onError(error);
    }
  }

  // Steps and jumps count from the last wish, so that none is lost while images are on their way.
  step(frames) {
    this.pause(false);
    return this.seek(this.target + frames);
  }

  jump(seconds) {
    this.pause(false);
    return this.seek(this.times.later(this.target, seconds));
  }

  go(frame) {
    this.pause(false);
    return this.seek(frame);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play(1);
  }

  // J and L: start; the same key again plays faster.
  shuttle(direction) {
    if (this.playing === direction) this.setSpeed(SPEEDS[SPEEDS.indexOf(this.speed) + 1] ?? this.speed);
    else this.play(direction);
  }

  faster(steps) {
    const index = SPEEDS.indexOf(this.speed) + steps;
    this.setSpeed(SPEEDS[Math.min(Math.max(index, 0), SPEEDS.length - 1)]);
  }

  setSpeed(speed) {
    if (speed === this.speed) return;
    this.speed = speed;
    if (this.playing) this.play(this.playing);
    this.onState();
  }

  setLoop(segment) {
    this.loop = segment && { start_frame: segment.start_frame, end_frame: segment.end_frame };
    if (this.loop || this.playing) this.play(this.playing || 1);
    this.onState();
  }

  // Stop; `exact` shows the frame by index whose image is on screen.
  pause(exact = true) {
    if (!this.playing) return;
    this.#turn++;
    this.playing = 0;
    this.video.pause();
    this.target = this.frame ?? this.target;
    if (exact) this.seek(this.target);
    this.onState();
  }

  async play(direction) {
    const turn = ++this.#turn;
    this.video.pause();
    this.playing = direction;
    this.onState();
    if (this.loop) {
      const { start_frame, end_frame } = this.loop;
      if (this.target < start_frame || this.target >= end_frame) await this.seek(direction > 0 ? start_frame : end_frame - 1);
    } else if (direction > 0 && this.target === this.times.numFrames - 1) await this.seek(0);
    if (turn !== this.#turn) return;
    this.#playFrames(turn);
    if (direction < 0 || this.speed < 1 || this.loop || !(await this.#prepare())) return;
    if (turn === this.#turn) await this.#playVideo(++this.#turn);
  }

  close() {
    this.#turn++;
    this.playing = 0;
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    this.loader.close();
  }

  #show(frame, image, order) {
    this.#shownOrder = order;
    this.frame = frame;
    this.onShow(frame, image);
  }

  // Load the preview once; learn the time stamp of its first image, from which the times of frames count.
  async #prepare() {
    this.#preview ??= new Promise((done) => {
      const { video } = this;
      if (!this.url || !video.requestVideoFrameCallback) return done(false);
      video.requestVideoFrameCallback((now, { mediaTime }) => {
        this.origin = mediaTime;
        done(true);
      });
      video.addEventListener('error', () => done(false), { once: true });
      Object.assign(video, { muted: true, preload: 'auto', src: this.url });
      return undefined;
    });
    return this.#preview;
  }

  async #playVideo(turn) {
    const { video, times } = this;
    const presented = (now, { mediaTime }) => {
      if (turn !== this.#turn) return;
      this.target = times.nearest(mediaTime - this.origin);
      this.#show(this.target, video, ++this.#order);
      video.requestVideoFrameCallback(presented);
    };
    video.playbackRate = this.speed;
    video.currentTime = this.origin + times.seconds(this.target) + 1e-4;
    video.onended = () => turn === this.#turn && this.#end();
    video.requestVideoFrameCallback(presented);
    try {
      await video.play();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#preview = Promise.resolve(false);
      this.#playFrames(turn);
    }
  }

  #end() {
    this.#turn++;
    this.playing = 0;
    this.seek(this.times.numFrames - 1);
    this.onState();
  }

  // A clock that waits for images; faster than they come, frames are left out.
  #playFrames(turn) {
    const { times } = this;
    const first = this.loop?.start_frame ?? 0;
    const last = (this.loop?.end_frame ?? times.numFrames) - 1;
    let position = times.seconds(this.target); // of the clock, in seconds of the video
    let before = null;
    const tick = (now) => {
      if (turn !== this.#turn) return;
      const passed = before === null ? 0 : Math.min((now - before) / 1000, 0.25);
      before = now;
      const waits = this.target !== this.frame;
      if (!waits) position += this.playing * passed * this.speed;
      const start = times.seconds(first);
      const end = times.seconds(last + 1);
      if (position >= end || position < start) {
        if (!this.loop) return this.playing > 0 ? this.#end() : this.pause();
        position = this.playing > 0 ? start : end - 1e-4;
      }
      const due = Math.min(Math.max(times.at(position), first), last);
      if (!waits && due !== this.target) this.seek(due);
      requestAnimationFrame(tick);
      return undefined;
    };
    requestAnimationFrame(tick);
  }
}
