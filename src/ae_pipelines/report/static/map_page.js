// What pages with maps have in common: pickers, the legend, what is selected, the search. A page says which `maps` it
// has and how a sample is chosen on them.

const MODES = ['pan', 'lasso', 'box'];

class MapPage {
  constructor(data) {
    this.data = data;
    this.faces = new Faces(data);
    this.tip = new Tip(data, this.faces);
    this.tiles = new Tiles(data, this.faces, {
      onhover: (index, element) => this.pointAtTile(index, element),
      onchoose: (index) => this.choose(index, { reveal: true }),
    });
    this.filters = new Filters(data);
    this.legend = new Legend(find('legend'), this.filters, () => this.filter());
    this.theme = new Theme(find('theme'), () => this.paint());
    this.selected = [];
  }

  // ---- pickers

  fillPickers(layouts, onlayout) {
    fillSelect(find('layout'), layouts, onlayout);
    fillSelect(find('colour'), this.data.fields, (field) => this.colourBy(field));
    this.field = this.data.fields[0];
    for (const mode of MODES) find(`mode-${mode}`).addEventListener('click', () => this.setMode(mode));
    find('fit').addEventListener('click', () => this.maps.forEach((map) => map.fit()));
    // Not when the form is sent: in MLflow's sandbox forms may not be.
    find('search').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      this.search(find('search').value.trim());
    });
  }

  setMode(mode) {
    for (const other of MODES) find(`mode-${other}`).setAttribute('aria-pressed', String(other === mode));
    for (const map of this.maps) {
      map.mode = mode;
      map.host.dataset.mode = mode;
    }
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
    for (const map of this.maps) map.setColours(slots, colours, rgb(PALETTES[theme].dim));
    this.legend.show(this.field, colours);
  }

  // ---- what is shown and selected

  filter() {
    const states = this.filters.passing();
    const isPart = this.selected.length > 1, lit = new Uint8Array(isPart ? states.length : 0);
    for (const index of lit.length ? this.selected : []) lit[index] = 1;
    for (let index = 0; index < states.length; index++) {
      if (states[index]) states[index] = !isPart || lit[index] ? LIT : DIM;
    }
    for (const map of this.maps) map.setStates(states);
    const { shown } = this.maps[0];
    const text = `${shown.toLocaleString('en')} of ${counted(states.length, 'sample')} shown`;
    find('shown').textContent = shown === states.length ? '' : text;
  }

  select(title, indices) {
    this.setSelected(indices);
    for (const map of this.maps) map.choose(-1);
    this.panel.showMany(title, indices);
  }

  clear() {
    this.setSelected([]);
    for (const map of this.maps) map.choose(-1);
    this.panel.clear();
    this.tip.hide();
  }

  setSelected(indices) {
    const hadMany = this.selected.length > 1;
    find('found').textContent = '';
    this.selected = indices;
    if (hadMany || indices.length > 1) this.filter();
  }

  announceSample(index) {
    const told = this.data.fields.filter((field) => field.hover).map((field) => `${field.title} ${field.text(index)}`);
    announce([this.data.id(index), ...told].join(', '));
  }

  search(text) {
    find('found').textContent = '';
    if (!text) return this.clear();
    const found = this.data.search(text, 500);
    if (!found.length) find('found').textContent = `No id has “${text}” in it.`;
    else if (found.length === 1 || this.data.id(found[0]) === text) this.choose(found[0], { centre: true });
    else this.select(`ids with “${text}”${found.length === 500 ? ', the first' : ''}`, found);
    return undefined;
  }

  pointAtTile(index, element) {
    this.tip.showAt(index, element);
    for (const map of this.maps) map.ring(index);
  }

  // ---- what happens to the window

  listen() {
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
      for (const map of this.maps) map.print();
    });
    addEventListener('afterprint', () => {
      for (const map of this.maps) map.afterPrint();
      this.theme.set(this.themeBefore);
    });
  }

  escape() {
    this.setMode('pan');
    this.clear();
  }

  /** A button of a section that stands for samples with some values, as {"label": "3", "predicted": "5"}. */
  open(opener) {
    this.select(opener.dataset.title ?? '', this.data.where(JSON.parse(opener.dataset.where)));
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    find('map').scrollIntoView({ behavior: isCalm ? 'auto' : 'smooth' });
  }

  /** Where a sample is on a map, in the window; null: it has no place. */
  screen(map, row) {
    const index = this.data.indexOf(row), box = map.host.getBoundingClientRect();
    if (!map.isPlaced(index)) return null;
    const [x, y] = map.screen(index);
    return [box.left + x, box.top + y];
  }
}

/** Opens a page of this class, with `window.report` for tests and the curious. */
function openPage(Page) {
  const open = async () => {
    const page = new Page(await PageData.read());
    Object.defineProperties(window.report, Object.getOwnPropertyDescriptors(page.forOthers));
    document.documentElement.dataset.ready = '';
    page.opened?.();
    page.tiles.fillAll(document);
  };
  window.report = {};
  window.report.ready = open();
  window.report.ready.catch((error) => {
    find('panel').textContent = `This page could not be opened (${error.message}). A newer browser may help.`;
    throw error;
  });
}
