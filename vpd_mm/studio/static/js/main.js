// Router: "#/<view>/<argument>?<key>=<value>" shows views/<view>.js in <main>.
//
// A view exports `async function show(container, {argument, query})`, which fills the container and may return a
// function that is called when the view is left.  Each showing has a container of its own: one that is left while it loads
// writes into nothing.

import { get } from './api.js';
import { element, message } from './ui.js';

const VIEWS = ['library', 'player', 'search', 'train', 'review', 'exchange'];
const main = document.getElementById('view');
let corpus = 'vpd_mm studio';
let leave = null;
let shown = 0;

async function route() {
  const [path, search] = location.hash.slice(2).split('?');
  const [name, ...rest] = (path || 'library').split('/');
  const view = VIEWS.includes(name) ? name : 'library';
  const turn = ++shown;
  leave?.();
  leave = null;
  const container = element('div', { class: 'loading' });
  main.replaceChildren(container);
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#/${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  try {
    const module = await import(`./views/${view}.js`).catch(async (error) => {
      await get('corpus'); // says so where there is no server
      throw error;
    });
    if (turn !== shown) return;
    const query = Object.fromEntries(new URLSearchParams(search));
    const left = await module.show(container, { argument: decodeURIComponent(rest.join('/')), query });
    if (turn === shown) leave = left ?? null;
    else left?.();
    if (turn === shown) arrived();
  } catch (error) {
    if (turn !== shown) return;
    container.replaceChildren(element('h1', {}, 'This does not work'), element('p', { class: 'error' }, error.message));
    arrived();
  }
}

// Name the page, and hand the keyboard to the new view where the view has not done so.
function arrived() {
  document.title = [main.querySelector('h1')?.textContent, corpus].filter(Boolean).join(' - ');
  if (shown > 1 && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // the hash belongs to the router
  main.focus();
});
get('corpus')
  .then(({ name, sport }) => {
    corpus = name;
    document.getElementById('corpus').textContent = sport && sport !== name ? `${name} (${sport})` : name;
    arrived();
  })
  .catch((error) => message(error.message, 'error'));
window.addEventListener('hashchange', route);
route();
