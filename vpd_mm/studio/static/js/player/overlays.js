// What is drawn over a frame: boxes, poses of the teacher and the student, repaired poses, the flow of the crop.

import { download, get, name } from '../api.js';

// Switches in the order of the page: [key, label, on at first].
export const SWITCHES = [
  ['box', 'Box', true],
  ['teacher', "Teacher's pose", true],
  ['student', "Student's pose", false],
  ['repaired', 'Repaired pose', false],
  ['flow', 'Flow', false],
];

// Left side blue, right side orange, middle grey: as in all images of the project (visualize/skeleton.py).
const SIDES = ['#ebebeb', '#3c96ff', '#ff8c1e'];
// Poses differ in the line around their limbs.
export const OUTLINES = { teacher: '#141414', student: '#ffffff', repaired: '#2fd07a' };
const THRESHOLD = 0.3; // joints below are drawn thin
const KEPT = 'vpd-studio-overlays';
const FLOWS = 24; // images kept
const CHUNK = { stored: 512, student: 64 }; // frames that are asked for together; the student's may be computed

export class Overlays {
  #data = new Map(); // path -> rows by frame, null while loading or absent
  #flows = new Map(); // path -> {image, window}, null while loading or absent
  #failed = new Set(); // parts of a video that the server does not have: one message is enough

  // posesOf: Map(athlete of the file -> names of its pose sets); onLoad(): data has arrived;
  // onError(line).
  constructor({ numFrames, posesOf, onLoad, onError }) {
    Object.assign(this, { numFrames, posesOf, onLoad, onError });
    this.on = Object.fromEntries(SWITCHES.map(([key, , on]) => [key, on]));
    Object.assign(this.on, JSON.parse(localStorage.getItem(KEPT) ?? '{}'));
    this.poses = ''; // set of the teacher's poses
    this.repaired = '';
    this.student = false;
    this.loading = 0; // requests for what is drawn
  }

  set(key, on) {
    this.on[key] = on;
    localStorage.setItem(KEPT, JSON.stringify(this.on));
  }

  // Draw the overlays of a frame; scale: px of the canvas for one px of the frame; active: the athlete who is labelled.
  draw(context, frame, scale, active) {
    if (this.on.flow) this.#flow(context, active, frame, scale);
    for (const [video, sets] of this.posesOf) {
      const pose = (kind, part) => this.#pose(context, this.#row(video, part, frame), scale, kind);
      context.globalAlpha = video === active ? 1 : 0.5;
      if (this.on.box) this.#box(context, this.#row(video, 'track', frame), scale, video === active);
      if (this.on.teacher && sets.includes(this.poses)) pose('teacher', `poses/${name(this.poses)}`);
      if (this.on.repaired && sets.includes(this.repaired)) pose('repaired', `poses/${name(this.repaired)}`);
      if (this.on.student && this.student) pose('student', 'student');
    }
    context.globalAlpha = 1;
  }

  // The row of a frame: {boxes, keypoints, scores, limbs}; null where there is none, or none yet.
  #row(video, part, frame) {
    const length = CHUNK[part] ?? CHUNK.stored;
    const start = frame - (frame % length);
    if (start + length < this.numFrames) this.#chunk(video, part, start + length, length);
    const data = this.#chunk(video, part, start, length);
    const row = data?.rowOf.get(frame);
    if (row === undefined) return null;
    return { box: data.boxes?.[row], keypoints: data.keypoints?.[row], scores: data.scores?.[row], limbs: data.limbs };
  }

  // Rows of the frames from `start` on; null or undefined while they are loading, or where they failed.
  #chunk(video, part, start, length) {
    const path = `videos/${name(video)}/${part}?start=${start}&end=${Math.min(start + length, this.numFrames)}`;
    if (!this.#data.has(path) && !this.#failed.has(kindOf(path))) {
      this.#data.set(path, null);
      this.loading++;
      get(path)
        .then((data) => this.#data.set(path, { ...data, rowOf: new Map(data.frame_inds.map((n, row) => [n, row])) }))
        .catch((error) => this.#fail(path, error))
        .then(() => this.loading--)
        .then(() => this.onLoad());
    }
    return this.#data.get(path);
  }

  // The flow of the crop, where the crop is; only of frames with a box, as others have no crop.
  #flow(context, video, frame, scale) {
    const path = `videos/${name(video)}/flow/${frame}`;
    if (!this.#failed.has(kindOf(path)) && !this.#flows.has(path) && this.#row(video, 'track', frame)) this.#loadFlow(path);
    const flow = this.#flows.get(path);
    if (!flow) return;
    const [left, top, side] = flow.window.map((value) => value * scale);
    context.globalAlpha = 0.65;
    context.drawImage(flow.image, left, top, side, side);
    context.globalAlpha = 1;
  }

  async #loadFlow(path) {
    this.#flows.set(path, null);
    if (this.#flows.size > FLOWS) this.#flows.delete(this.#flows.keys().next().value);
    try {
      const response = await download(path);
      const window = response.headers.get('X-Window').split(',').map(Number);
      this.#flows.set(path, { image: await createImageBitmap(await response.blob()), window });
      this.onLoad();
    } catch (error) {
      this.#fail(path, error);
    }
  }

  #fail(path, error) {
    if (!this.#failed.has(kindOf(path))) this.onError(error.message);
    this.#failed.add(kindOf(path));
  }

  #box(context, row, scale, strong) {
    if (!row) return;
    const [left, top, right, bottom] = row.box.map((value) => value * scale);
    for (const [colour, width] of [['#141414', 4], [strong ? '#ffd84d' : '#ffffff', 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: (width * this.#unit(context)) / 2 });
      context.strokeRect(left, top, right - left, bottom - top);
    }
  }

  #pose(context, row, scale, kind) {
    if (!row) return;
    const points = row.keypoints.map(([x, y]) => [x * scale, y * scale]);
    const drawn = points.map(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
    const strong = (joint) => (row.scores?.[joint] ?? 1) >= THRESHOLD;
    const unit = this.#unit(context);
    const limbs = row.limbs.filter(([a, b]) => drawn[a] && drawn[b]);
    context.lineCap = 'round';
    for (const pass of ['outline', 'limb']) {
      for (const [a, b] of limbs) {
        const wide = strong(a) && strong(b);
        const side = a > 0 && b > 0 && a % 2 === b % 2 ? 2 - (a % 2) : 0; // odd joints are left, even ones right
        context.strokeStyle = pass === 'outline' ? OUTLINES[kind] : SIDES[side];
        context.lineWidth = unit * ((wide ? 1.5 : 0.5) + (pass === 'outline' ? 1.5 : 0));
        if (pass === 'outline' && !wide) continue;
        context.beginPath();
        context.moveTo(...points[a]);
        context.lineTo(...points[b]);
        context.stroke();
      }
    }
    points.forEach(([x, y], joint) => {
      if (!drawn[joint] || !strong(joint)) return;
      context.fillStyle = SIDES[joint === 0 ? 0 : 2 - (joint % 2)];
      context.beginPath();
      context.arc(x, y, unit * 1.4, 0, 2 * Math.PI);
      context.fill();
    });
  }

  #unit(context) {
    return Math.max(1, Math.sqrt(Math.max(context.canvas.width, context.canvas.height)) / 18);
  }
}

// '.../student?start=0', '.../flow/12' -> '.../student', '.../flow': what fails for one frame fails for all.
const kindOf = (path) => path.replace(/\?.*$|(?<=\/flow)\/\d+$/, '');
