// Frame numbers and seconds of one video, by the rule of the server's `FrameTimes`: frame n starts at n / fps, or at
// edges[n] where the rate varies.

export class FrameTimes {
  constructor(numFrames, fps, edges = null) {
    Object.assign(this, { numFrames, fps, edges });
  }

  // Start of a frame, or of the end of the last one for numFrames.
  seconds(frame) {
    return this.edges ? this.edges[frame] : frame / this.fps;
  }

  // The frame on screen at a time, within the video.
  at(seconds) {
    return this.#clip(Math.floor(this.#position(seconds + 1e-6)));
  }

  // The frame whose start lies nearest to a time: time stamps in files are rounded.
  nearest(seconds) {
    return this.#clip(Math.round(this.#position(seconds)));
  }

  // The frame so many seconds later or earlier; at least one frame away, within the video.
  later(frame, seconds) {
    const target = this.nearest(this.seconds(frame) + seconds);
    return target === frame ? this.#clip(frame + Math.sign(seconds)) : target;
  }

  #clip(frame) {
    return Math.min(Math.max(frame, 0), this.numFrames - 1);
  }

  // A time as a fraction of frames.
  #position(seconds) {
    if (!this.edges) return seconds * this.fps;
    let low = 0;
    let high = this.numFrames;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.edges[middle] <= seconds) low = middle;
      else high = middle;
    }
    return low + (seconds - this.edges[low]) / (this.edges[low + 1] - this.edges[low]);
  }
}

// 3723.4567 -> '1:02:03.457'; 3.2 -> '0:03.200'.
export function clock(seconds) {
  const [whole, thousandths] = seconds.toFixed(3).split('.');
  const two = (number) => String(number).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}.${thousandths}`;
}
