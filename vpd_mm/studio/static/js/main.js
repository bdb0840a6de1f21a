// Router: "#/<view>/<argument>?<key>=<value>" shows views/<view>.js in <main>.
//
// A view exports `async function show(container, {argument, query})`, which fills the container and may return a
// function that is called when the view is left.

import { element, message } from './ui.js';

const VIEWS = ['library', 'player', 'search', 'train', 'review', 'exchange'];
const container = document.getElementById('view');
let leave = null;
let shown = 0;

async function route() {
  const [path, search] = location.hash.slice(2).split('?');
  const [name, ...rest] = (path || 'library').split('/');
  const view = VIEWS.includes(name) ? name : 'library';
  const turn = ++shown;
  leave?.();
  leave = null;
  container.replaceChildren(element('p', { class: 'busy' }, 'Loading'));
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#/${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  try {
    const module = await import(`./views/${view}.js`);
    if (turn !== shown) return;
    container.replaceChildren();
    const query = Object.fromEntries(new URLSearchParams(search));
    const left = await module.show(container, { argument: decodeURIComponent(rest.join('/')), query });
    if (turn === shown) leave = left ?? null;
    else left?.();
  } catch (error) {
    if (turn === shown) container.replaceChildren(element('p', { class: 'error' }, error.message));
    message(error.message, 'error');
  }
}

window.addEventListener('hashchange', route);
route();
