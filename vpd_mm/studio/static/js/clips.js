// Segments (video, start_frame, end_frame) as links, still images and looping clips.

import { name } from './api.js';
import { element } from './ui.js';

const still = window.matchMedia('(prefers-reduced-motion: reduce)');
let paused = still.matches;
const NOTHING = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=='; // one transparent pixel

export const segmentQuery = ({ video, start_frame, end_frame }) => `video=${name(video)}&start=${start_frame}&end=${end_frame}`;
export const searchLink = (segment) => `#/search?${segmentQuery(segment)}`;
export const playerLink = ({ video, start_frame, end_frame }) =>
  `#/player/${name(video)}?frame=${start_frame}&start=${start_frame}&end=${end_frame}`;
export const frameImage = (video, frame, height) => `api/videos/${name(video)}/frames/${frame}?height=${height}`;

// Set `image.src` to `image.dataset.src` while the image is in sight or close to it, and not before.
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        target.src = target.dataset.src;
      } else if (!target.complete) {
        target.src = NOTHING; // scrolled past before it was loaded
      }
    }
  },
  { rootMargin: '200px' },
);

export function lazyImage(src, attributes = {}) {
  const image = element('img', { alt: '', width: 320, height: 180, ...attributes, src: NOTHING, 'data-src': src });
  image.addEventListener('load', () => image.getAttribute('src') === image.dataset.src && seen.unobserve(image));
  seen.observe(image);
  return image;
}

// The segment as a looping clip, or as its middle frame while clips are paused.
export function clip(segment, { height = 180, alt = '' } = {}) {
  const { video, start_frame, end_frame } = segment;
  const moving = `api/videos/${name(video)}/clip?start=${start_frame}&end=${end_frame}&height=${height}`;
  const middle = frameImage(video, Math.floor((start_frame + end_frame) / 2), height);
  const image = lazyImage(paused ? middle : moving, { class: 'view clip', alt });
  Object.assign(image.dataset, { moving, middle });
  return image;
}

// A button that pauses and resumes all clips of the page.
export function pauseButton() {
  const button = element('button', { type: 'button', 'aria-pressed': paused, onclick: toggle }, 'Pause clips');
  function toggle() {
    paused = !paused;
    button.setAttribute('aria-pressed', paused);
    for (const image of document.querySelectorAll('img.clip')) {
      image.dataset.src = paused ? image.dataset.middle : image.dataset.moving;
      image.src = NOTHING;
      seen.unobserve(image);
      seen.observe(image); // loads it if it is in sight
    }
  }
  return button;
}
