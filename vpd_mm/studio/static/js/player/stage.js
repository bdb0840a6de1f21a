// The image of the video, with the overlays on a second canvas above.

import { element } from '../ui.js';

const HEIGHTS = [240, 360, 540, 720, 1080];

export class Stage {
  #frame = null;

  constructor({ row, overlays }) {
    Object.assign(this, { row, overlays });
    this.active = row.video;
    this.video = element('video', { playsinline: true, muted: true, 'aria-hidden': 'true', tabindex: -1 });
    this.image = element('canvas', { id: 'picture', role: 'img', 'aria-label': 'Frame of the video' });
    this.drawing = element('canvas', { id: 'overlay', 'aria-hidden': 'true' });
    this.problem = element('p', { class: 'problem', role: 'alert', hidden: true });
    this.root = element('div', { class: 'stage' }, this.video, this.image, this.drawing, this.problem);
    this.root.style.aspectRatio = `${row.width} / ${row.height}`;
    this.root.style.setProperty('--shape', row.width / row.height);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.root);
  }

  // Height to ask of the server, px: enough for the screen, at most that of the video.
  get height() {
    const needed = (this.root.clientHeight || 540) * Math.min(devicePixelRatio, 2);
    return Math.min(HEIGHTS.find((height) => height >= needed * 0.95) ?? 1080, this.row.height);
  }

  // image: an ImageBitmap or a <video>.
  show(frame, image) {
    const { videoHeight } = image;
    const height = videoHeight ? Math.min(videoHeight, this.height) : image.height;
    const width = videoHeight ? Math.round((image.videoWidth * height) / videoHeight) : image.width;
    if (this.image.width !== width || this.image.height !== height) Object.assign(this.image, { width, height });
    this.image.getContext('2d').drawImage(image, 0, 0, width, height);
    this.#frame = frame;
    this.problem.hidden = true;
    this.redraw();
  }

  fail(line) {
    this.problem.textContent = line;
    this.problem.hidden = false;
  }

  // Draw the overlays again: a switch, the athlete or the data has changed.
  redraw() {
    const context = this.drawing.getContext('2d');
    context.clearRect(0, 0, this.drawing.width, this.drawing.height);
    if (this.#frame === null) return;
    this.overlays.draw(context, this.#frame, this.drawing.width / this.row.width, this.active);
  }

  close() {
    this.observer.disconnect();
  }

  #resize() {
    const ratio = Math.min(devicePixelRatio, 2);
    this.drawing.width = Math.round(this.root.clientWidth * ratio);
    this.drawing.height = Math.round(this.root.clientHeight * ratio);
    this.redraw();
  }
}
