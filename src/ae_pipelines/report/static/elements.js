// Elements are made by code and filled by textContent: nothing from the data is ever read as HTML.

/** An element with attributes (`class`, `aria-…`), listeners (`onclick`), `text` and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'text') element.textContent = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function button(text, onclick, attributes = {}) {
  return make('button', { type: 'button', text, onclick, ...attributes });
}

/** A list of names and values: pairs of texts. */
function facts(pairs) {
  const list = make('dl', { class: 'facts' });
  for (const [name, value] of pairs) list.append(make('dt', { text: name }), make('dd', { text: value, dir: 'auto' }));
  return list;
}

function find(id) {
  return document.getElementById(id);
}

/** Fills a select with choices, by their `name` and `title`; those of columns stand apart. */
function fillSelect(select, choices, onchoose) {
  const columns = make('optgroup', { label: 'Columns of the table' });
  for (const choice of choices) {
    (choice.is_column ? columns : select).append(make('option', { value: choice.name, text: choice.title }));
  }
  if (columns.children.length) select.append(columns);
  select.addEventListener('change', () => onchoose(choices[select.selectedIndex]));
}

/** Says something to those who listen to the page instead of looking at it. */
function announce(text) {
  document.getElementById('announcement').textContent = text;
}
