import { element } from '../ui.js';

export async function show(container) {
  container.append(element('h1', {}, 'Import and export'));
}
