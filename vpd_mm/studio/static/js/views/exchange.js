// Labels from and to other programs, and the history of the labels.

import { download, get, name, post, upload } from '../api.js';
import { classChange, counted, frames } from '../format.js';
import { element, figure, message } from '../ui.js';

export async function show(container) {
  const [formats, rows, corpus] = await Promise.all([get('formats'), get('videos'), get('corpus')]);
  const past = element('div', { class: 'stack' });
  container.append(
    element(
      'div',
      { class: 'stack' },
      element('h1', {}, 'Import and export'),
      element(
        'div',
        { class: 'columns' },
        section('Export', ...exporting(formats.filter((form) => form.writes), rows, corpus)),
        section('Import', ...importing(formats.filter((form) => form.reads), refresh)),
      ),
      section('Splits', ...dividing(refresh)),
      section('History', element('p', { class: 'muted' }, 'Every change of the labels. The labels can return to any earlier state; that is a change too.'), past),
    ),
  );
  await refresh();

  async function refresh() {
    past.replaceChildren(history(await get('labels/history?limit=50'), refresh));
  }
}

const section = (title, ...parts) => element('section', { class: 'panel stack' }, element('h2', {}, title), ...parts);

function formatSelect(formats, id, first = null) {
  const option = (form) => element('option', { value: form.name }, `${form.title} (${form.suffix})`);
  return element('select', { id, required: true }, first && element('option', { value: '' }, first), ...formats.map(option));
}

function exporting(formats, rows, corpus) {
  const select = formatSelect(formats, 'export-format');
  const labelled = rows.filter((row) => row.num_labels).length;
  const boxes = rows.map((row) => element('input', { type: 'checkbox', name: 'video', value: row.video }));
  const lines = rows.map((row, index) => element('label', { class: 'check' }, boxes[index], `${row.video} (${counted(row.num_labels, 'label')})`));
  const choice = (value, text) => element('label', { class: 'check' }, element('input', { type: 'radio', name: 'which', value, checked: value === 'all', onchange: chosen }), text);
  const search = element('input', { type: 'search', oninput: find });
  const all = element('button', { type: 'button', onclick: () => mark(true) }, 'Choose all shown');
  const none = element('button', { type: 'button', onclick: () => mark(false) }, 'None');
  const list = element('div', { class: 'choose', tabindex: 0, role: 'group', 'aria-label': 'Videos' }, ...lines);
  const some = element('div', { class: 'stack', hidden: true }, element('div', { class: 'row' }, element('label', {}, 'Search', search), all, none), list);
  const button = element('button', { class: 'main' }, 'Export');
  const status = element('p', { role: 'status' });
  const which = element(
    'fieldset',
    { class: 'stack' },
    element('legend', {}, 'Videos'),
    element('div', { class: 'row' }, choice('all', `All with labels (${counted(labelled, 'video')})`), choice('some', 'Chosen videos')),
    some,
  );
  const form = element('form', { class: 'stack', onsubmit: send }, element('label', {}, 'Format', select), which, element('div', {}, button), status);
  const made = [form];
  if (!labelled) made.unshift(element('p', { class: 'notice' }, 'No labels yet: a file would hold none; label an action in the ', element('a', { href: '#/library' }, 'library'), ' first.'));
  return made;

  function chosen() {
    some.hidden = form.elements.which.value === 'all';
  }

  function find() {
    const words = search.value.toLowerCase();
    rows.forEach((row, index) => (lines[index].hidden = !row.video.toLowerCase().includes(words)));
  }

  function mark(checked) {
    boxes.forEach((box, index) => (box.checked = lines[index].hidden ? box.checked && checked : checked));
  }

  async function send(event) {
    event.preventDefault();
    const videos = boxes.filter((box) => box.checked).map((box) => box.value);
    const part = form.elements.which.value === 'some';
    if (part && !videos.length) return say(status, 'Choose at least one video.', true);
    button.disabled = true;
    say(status, 'Writing the file');
    try {
      const query = part ? `?${videos.map((video) => `videos=${name(video)}`).join('&')}` : '';
      const response = await download(`export/${name(select.value)}${query}`);
      const form = formats.find((one) => one.name === select.value);
      const file = fileName(response.headers.get('Content-Disposition')) ?? `${corpus.name}${form.suffix}`;
      save(await response.blob(), file);
      say(status, `Exported ${file}`);
    } catch (error) {
      say(status, error.message, true);
    }
    button.disabled = false;
  }
}

function say(line, text, isError = false) {
  line.textContent = text;
  line.classList.toggle('error', isError);
}

// File name of a Content-Disposition header, or null.
function fileName(header) {
  const coded = /filename\*=utf-8''([^;]+)/i.exec(header ?? '');
  return coded ? decodeURIComponent(coded[1]) : (/filename="([^"]+)"/.exec(header ?? '')?.[1] ?? null);
}

function save(blob, file) {
  const url = URL.createObjectURL(blob);
  element('a', { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function importing(formats, done) {
  const select = formatSelect(formats, 'import-format', 'choose the format');
  const file = element('input', { type: 'file', id: 'file', required: true, onchange: guess });
  const create = element('input', { type: 'checkbox', id: 'new-classes' });
  const button = element('button', { class: 'main' }, 'Import');
  const status = element('p', { role: 'status' });
  const result = element('div', { class: 'stack', id: 'result' });
  const form = element(
    'form',
    { class: 'stack', onsubmit: send },
    element('label', {}, 'File', file),
    element('label', {}, 'Format', select),
    element('label', { class: 'check' }, create, 'Add classes that the corpus does not have'),
    element('p', { class: 'muted' }, 'Nothing is changed or deleted: a label that overlaps another one is shown as a conflict, and not added.'),
    element('div', {}, button),
  );
  return [form, status, result];

  // The format of the file's ending, where only one has it.
  function guess() {
    const ending = file.files[0]?.name.toLowerCase() ?? '';
    const fitting = formats.filter((form) => ending.endsWith(form.suffix));
    if (fitting.length === 1) select.value = fitting[0].name;
    else if (!fitting.some((form) => form.name === select.value)) select.value = '';
  }

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    result.replaceChildren();
    say(status, 'Importing');
    try {
      const [chosen] = file.files;
      const query = `file=${name(chosen.name)}&new_classes=${create.checked}`;
      const report = await upload(`import/${name(select.value)}?${query}`, chosen);
      say(status, `Imported ${chosen.name}: ${counted(report.added, 'label')} added`);
      result.replaceChildren(...results(report));
      await done();
    } catch (error) {
      say(status, error.message, true);
    }
    button.disabled = false;
  }
}

function dividing(done) {
  const button = element('button', { type: 'button', onclick: divide }, 'Divide the labels');
  const status = element('p', { role: 'status' });
  const words =
    'New labels are of split train. The command-line tools choose models on split val and test them on split test: divide the labels when you have enough of them. Whole videos are kept together from three on.';
  return [element('p', { class: 'muted' }, words), element('div', {}, button), status];

  async function divide() {
    button.disabled = true;
    try {
      const { splits, divided } = await post('labels/divide', {});
      const counts = Object.entries(splits).map(([split, number]) => `${number} ${split}`);
      say(status, `${counts.join(', ')}: ${divided}`);
      await done();
    } catch (error) {
      say(status, error.message, true);
    }
    button.disabled = false;
  }
}

function results({ added, unchanged, new_classes, conflicts, skipped, notes }) {
  const lists = { Conflicts: conflicts, Skipped: skipped, 'New classes': new_classes, Notes: notes };
  const list = ([title, lines]) => element('div', {}, element('h3', {}, title), element('ul', { class: 'lines' }, ...lines.map((line) => element('li', {}, line))));
  return [
    element(
      'dl',
      { class: 'figures' },
      figure('Added', added),
      figure('Unchanged', unchanged),
      figure('Conflicts', conflicts.length),
      figure('Skipped', skipped.length),
    ),
    ...Object.entries(lists)
      .filter(([, lines]) => lines.length)
      .map(list),
  ];
}

function history(entries, done) {
  if (!entries.length) return element('p', {}, 'No changes yet.');
  return element('ol', { class: 'history' }, ...entries.map((entry, index) => past(entry, index, done)));
}

function past(entry, index, done) {
  const time = new Date(entry.time).toLocaleString();
  const number = entry.num_changes;
  const what = [entry.classes && classChange(entry.classes), number === 1 ? changeWords(entry.changes[0]) : number && counted(number, 'change')];
  const words = `${time}, ${entry.source}: ${what.filter(Boolean).join(', ')}`;
  const restore = async (event) => {
    event.target.disabled = true;
    try {
      const { num_changes } = await post('labels/restore', { entry: entry.entry });
      message(`Restored: ${counted(num_changes, 'label')} changed`);
      await done();
    } catch (error) {
      message(error.message, 'error');
      event.target.disabled = false;
    }
  };
  const button = element('button', { type: 'button', onclick: restore, 'aria-label': `Restore the labels of ${time}` }, 'Restore');
  return element(
    'li',
    {},
    element('details', {}, element('summary', {}, words), element('ul', { class: 'lines' }, ...entry.changes.map((change) => element('li', {}, changeWords(change))))),
    index ? button : element('span', { class: 'muted' }, 'now'),
  );
}

function changeWords({ before, after }) {
  const words = (label) => `${label.label} in ${label.video}, ${frames(label)}`;
  if (!before) return `added ${words(after)}`;
  return after ? `changed ${words(before)} to ${words(after)}` : `deleted ${words(before)}`;
}
