// The panel beside the map: one sample with its neighbours, or what is known of many that were selected.

const BARS = 8;  // categories counted in a selection; the smaller ones are added up
const COUNTED_FIELDS = ['label', 'group'];

const HINTS = [
  'Point at a sample to see it, click it for the twelve nearest. Draw around samples with Lasso, Box or Shift to '
  + 'select them.',
  'Keys on the map: arrows walk from sample to sample, + and − zoom, 0 shows all, Escape clears.',
];

class Panel {
  constructor(host, data, tiles, neighbours) {
    Object.assign(this, { host, data, tiles, neighbours });
    this.clear();
  }

  clear() {
    this.host.replaceChildren(...HINTS.map((text) => make('p', { class: 'hint', text })));
  }

  showSample(index, near) {
    const { data, tiles } = this, { faces } = tiles, picture = faces.picture(index);
    const told = (fields) => facts(fields.map((field) => [field.title, field.text(index)]));
    const first = data.fields.filter((field) => field.hover);
    const rest = data.fields.filter((field) => !field.hover && !field.is_column);
    this.host.replaceChildren(
      make('h3', { class: 'id', text: data.id(index), dir: 'auto' }),
      make('div', { class: 'sample' }, ...(picture ? [picture] : []), told(first)),
      ...(faces.columns.length ? [make('h4', { text: 'Values' }), told(faces.columns)] : []),
      ...this.nearest(near),
      ...(rest.length ? [make('h4', { text: 'Also known' }), told(rest)] : []));
    this.host.scrollTop = 0;
  }

  nearest(near) {
    if (!near.length) return this.neighbours.reason ? [make('p', { class: 'hint', text: this.neighbours.reason })] : [];
    const captions = near.map(({ distance }) => distance < 1000 ? distance.toPrecision(3) : shortNumber(distance));
    return [make('h4', { text: `The ${near.length} nearest, with their distances` }),
            this.tiles.gallery(near.map(({ index }) => index), captions)];
  }

  showMany(title, indices) {
    const text = `${title ? title + ': ' : ''}${counted(indices.length, 'sample')}`;
    const fields = COUNTED_FIELDS.map((name) => this.data.field(name)).filter(Boolean);
    this.host.replaceChildren(make('h3', { text }));
    announce(`${text} selected`);
    if (!indices.length) return;
    const counts = fields.map((field) => this.counts(field, indices));
    this.host.append(this.idButtons(indices), ...counts, this.tiles.gallery(indices, [], 48));
    this.host.scrollTop = 0;
  }

  /** How many of the selected samples each category has. */
  counts(field, indices) {
    const sizes = new Map();
    for (const index of indices) sizes.set(field.category(index), (sizes.get(field.category(index)) ?? 0) + 1);
    const sorted = [...sizes].sort((a, b) => b[1] - a[1]), rest = sorted.slice(BARS);
    const rows = sorted.slice(0, BARS).map(([category, size]) => [field.nameOf(category), size]);
    if (rest.length) rows.push([`${rest.length} others`, rest.reduce((sum, [, size]) => sum + size, 0)]);
    const table = make('table', { class: 'counts' }, make('caption', { text: `By ${field.title.toLowerCase()}` }));
    for (const [name, size] of rows) table.append(countRow(name, size, indices.length));
    return table;
  }

  // ---- ids

  idButtons(indices) {
    const about = { class: 'ids', rows: 5, readonly: true, hidden: true, 'aria-label': 'Ids of the selected samples' };
    const field = make('textarea', about);
    const text = () => this.idLines(indices);
    const show = (said) => {
      field.hidden = false;
      field.value = text();
      field.focus();
      field.select();
      announce(said);
    };
    if (isSandboxed()) {
      const opener = button('Show ids to copy', () => show('The ids are selected: copy them.'));
      return make('div', { class: 'ids-box' }, opener, field);
    }
    const copy = button('Copy ids', async () => {
      try {
        await navigator.clipboard.writeText(text());
        flash(copy, 'Copied');
      } catch {
        show('Copying is not allowed here; the ids are selected: copy them.');
      }
    });
    return make('div', { class: 'ids-box' }, copy, button('Save ids', () => saveFile('ids.csv', text())), field);
  }

  idLines(indices) {
    return csvTable([['sample_id'], ...indices.map((index) => [this.data.id(index)])]);
  }
}

function countRow(name, size, all) {
  const bar = make('span', { class: 'bar' }), percent = (100 * size) / all;
  const share = percent < 1 ? '<1' : Math.round(percent);
  bar.style.width = `${percent}%`;
  return make('tr', {}, make('th', { scope: 'row', text: name, dir: 'auto' }), make('td', { class: 'bar-cell' }, bar),
              make('td', { text: size.toLocaleString('en') }), make('td', { text: `${share} %` }));
}

function flash(element, text) {
  const before = element.textContent;
  element.textContent = text;
  announce(text);
  setTimeout(() => { element.textContent = before; }, 1500);
}
