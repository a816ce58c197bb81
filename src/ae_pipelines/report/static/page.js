// Wires the parts of a run's page. What tests and the curious may use is `window.report`:
//
//   await report.ready           the page can be used
//   await report.map.drawn()     all points are drawn
//   report.map.screen(row)       where a sample is on the map: [x, y] in the window, pixels; null: it has no place
//   report.map.select(rows)      as if these samples had been drawn around
//   report.selected              rows of the samples that are selected or chosen
//   report.neighbours(row)       [{ row, distance }, …], nearest first
//   report.theme('dark')         'light', 'dark'; '' as the system has it

const MODES = ['pan', 'lasso', 'box'];

class Page {
  constructor(data) {
    this.data = data;
    this.faces = new Faces(data);
    this.tip = new Tip(data, this.faces);
    this.tiles = new Tiles(data, this.faces, {
      onhover: (index, element) => this.pointAtTile(index, element),
      onchoose: (index) => this.choose(index, { reveal: true }),
    });
    this.neighbours = new Neighbours(data);
    this.filters = new Filters(data);
    this.panel = new Panel(find('panel'), data, this.tiles, this.neighbours);
    this.legend = new Legend(find('legend'), this.filters, () => this.filter());
    this.theme = new Theme(find('theme'), () => this.paint());
    this.selected = [];
    this.addMap();
    this.fillPickers();
    this.listen();
    this.paint();
  }

  addMap() {
    giveRest(find('plot'));
    addEventListener('resize', () => giveRest(find('plot')));
    const count = this.data.count, host = find('plot');
    const label = `Map of ${counted(count, 'sample')}. Arrow keys walk from sample to sample.`;
    this.map = new LatentMap(host, count, label, {
      hover: (index, x, y) => this.pointAtMap(index, x, y),
      pick: (index) => (index < 0 ? this.clear() : this.choose(index)),
      region: (indices) => (indices.length ? this.select('', indices) : this.clear()),
    });
    const [first] = this.data.layouts;
    if (!first) this.map.explain('There is no map of these samples: they were not laid out in the plane.');
    this.map.setPlaces(first ? first.places : new Uint16Array(2 * count).fill(NO_PLACE));
  }

  // ---- pickers

  fillPickers() {
    fillSelect(find('layout'), this.data.layouts, (layout) => this.map.setPlaces(layout.places, true));
    fillSelect(find('colour'), this.data.fields, (field) => this.colourBy(field));
    this.field = this.data.fields[0];
    for (const mode of MODES) find(`mode-${mode}`).addEventListener('click', () => this.setMode(mode));
    find('fit').addEventListener('click', () => this.map.fit());
    // Not when the form is sent: in MLflow's sandbox forms may not be.
    find('search').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      this.search(find('search').value.trim());
    });
  }

  setMode(mode) {
    this.map.mode = mode;
    for (const other of MODES) find(`mode-${other}`).setAttribute('aria-pressed', String(other === mode));
    find('plot').dataset.mode = mode;
  }

  colourBy(field) {
    this.field = field;
    find('colour').value = field.name;
    this.paint();
  }

  /** Colours by the chosen field, in the colours of the theme. */
  paint() {
    if (!this.field) return;
    const theme = this.theme.name, { slots, colours } = pointColours(this.field, this.data.count, theme);
    this.map.setColours(slots, colours, rgb(PALETTES[theme].dim));
    this.legend.show(this.field, colours);
  }

  // ---- what is shown, selected and chosen

  filter() {
    const states = this.filters.passing();
    const isPart = this.selected.length > 1, lit = new Uint8Array(isPart ? states.length : 0);
    for (const index of lit.length ? this.selected : []) lit[index] = 1;
    for (let index = 0; index < states.length; index++) {
      if (states[index]) states[index] = !isPart || lit[index] ? LIT : DIM;
    }
    this.map.setStates(states);
    const shown = this.map.shown;
    const text = `${shown.toLocaleString('en')} of ${counted(states.length, 'sample')} shown`;
    find('shown').textContent = shown === states.length ? '' : text;
  }

  /** One sample: the panel tells of it and of its neighbours. */
  choose(index, { reveal = false, centre = false } = {}) {
    const near = this.neighbours.find(index), { data } = this;
    this.setSelected([index]);
    this.map.choose(index, near.map((one) => one.index));
    this.panel.showSample(index, near);
    if (centre) this.map.centre(index);
    else if (reveal) this.map.reveal(index);
    setHash(`#id=${encodeURIComponent(data.id(index))}`);
    const told = data.fields.filter((field) => field.hover).map((field) => `${field.title} ${field.text(index)}`);
    announce([data.id(index), ...told].join(', '));
  }

  select(title, indices) {
    this.setSelected(indices);
    this.map.choose(-1);
    this.panel.showMany(title, indices);
    setHash('');
  }

  clear() {
    this.setSelected([]);
    this.map.choose(-1);
    this.panel.clear();
    this.tip.hide();
    setHash('');
  }

  setSelected(indices) {
    const hadMany = this.selected.length > 1;
    find('found').textContent = '';
    this.selected = indices;
    if (hadMany || indices.length > 1) this.filter();
  }

  // ---- finding

  search(text) {
    if (!text) return this.clear();
    const found = this.data.search(text, 500);
    if (!found.length) find('found').textContent = `No id has “${text}” in it.`;
    else if (found.length === 1 || this.data.id(found[0]) === text) this.choose(found[0], { centre: true });
    else this.select(`ids with “${text}”${found.length === 500 ? ', the first' : ''}`, found);
    return undefined;
  }

  followHash() {
    const link = /^#id=(.*)$/s.exec(location.hash);
    if (!link) return;
    const id = decoded(link[1]), index = this.data.withId(id);
    if (index < 0) find('found').textContent = `This page has no sample “${id}”.`;
    else if (this.selected.length !== 1 || this.selected[0] !== index) this.choose(index, { centre: true });
  }

  // ---- pointing

  pointAtMap(index, x, y) {
    const box = find('plot').getBoundingClientRect();
    this.tip.show(index, box.left + x, box.top + y);
  }

  pointAtTile(index, element) {
    this.tip.showAt(index, element);
    this.map.ring(index);
  }

  listen() {
    addEventListener('hashchange', () => this.followHash());
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.escape();
    });
    addEventListener('scroll', () => this.tip.hide(), { passive: true });
    for (const opener of document.querySelectorAll('[data-where]')) {
      opener.addEventListener('click', () => this.open(opener));
    }
    // Paper is white: what is printed is drawn in light colours, and whole.
    addEventListener('beforeprint', () => {
      this.themeBefore = document.documentElement.dataset.theme;
      this.theme.set('light');
      this.map.print();
    });
    addEventListener('afterprint', () => {
      this.map.afterPrint();
      this.theme.set(this.themeBefore);
    });
  }

  escape() {
    this.setMode('pan');
    this.clear();
  }

  /** A button of a section that stands for samples with some values, as {"label": "3", "predicted": "5"}. */
  open(opener) {
    const indices = this.data.where(JSON.parse(opener.dataset.where));
    this.select(opener.dataset.title ?? '', indices);
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    find('map').scrollIntoView({ behavior: isCalm ? 'auto' : 'smooth' });
  }

  /** What is told in the comment above. */
  get forOthers() {
    const { data, map } = this, page = this, row = (index) => data.rows[index];
    const screen = (wanted) => {
      const index = data.indexOf(wanted), box = find('plot').getBoundingClientRect();
      if (!map.isPlaced(index)) return null;
      const [x, y] = map.screen(index);
      return [box.left + x, box.top + y];
    };
    return {
      map: {
        screen,
        drawn: () => map.drawn(),
        select: (rows) => page.select('', rows.map((one) => data.indexOf(one)).filter((index) => index >= 0)),
      },
      get selected() { return page.selected.map(row); },
      neighbours: (wanted) => page.neighbours.find(data.indexOf(wanted))
        .map(({ index, distance }) => ({ row: row(index), distance })),
      theme: (name) => page.theme.set(name),
    };
  }
}

/** The map gets what the window leaves below what stands above it. */
function giveRest(plot) {
  const above = plot.getBoundingClientRect().top + scrollY;
  document.documentElement.style.setProperty('--above-map', `${Math.min(above, innerHeight / 2)}px`);
}

/** Pages in a sandbox may not change their address. */
function setHash(hash) {
  try {
    history.replaceState(null, '', hash || location.pathname + location.search);
  } catch {
    // there is nothing to link to then
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;  // someone typed a % of their own
  }
}

async function openPage() {
  const page = new Page(await PageData.read());
  Object.defineProperties(window.report, Object.getOwnPropertyDescriptors(page.forOthers));
  document.documentElement.dataset.ready = '';
  page.followHash();
  page.tiles.fillAll(document);
}

window.report = {};
window.report.ready = openPage();
window.report.ready.catch((error) => {
  find('panel').textContent = `This page could not be opened (${error.message}). A newer browser may help.`;
  throw error;
});
