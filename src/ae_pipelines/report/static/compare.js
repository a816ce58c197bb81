// Wires the page of two runs: two maps of the same samples that point at each other. What tests and the curious may
// use is `window.report`:
//
//   await report.ready                the page can be used
//   report.maps.here, .there          of this run and of the other one:
//     await map.drawn()               all points are drawn
//     map.screen(row)                 where a sample is in the window, [x, y]; null: it has no place on this map
//     map.ringed                      the row of the sample that is ringed; null: none is
//   report.selected                   rows of the samples that are selected or chosen
//   report.theme('dark')              'light', 'dark'; '' as the system has it

const SIDES = { here: '', there: 'other_' };  // how names of their layouts begin
const NO_NEIGHBOURS = { reason: '', find: () => [] };
const MODES = ['pan', 'lasso', 'box'];

class ComparePage {
  constructor(data) {
    this.data = data;
    this.faces = new Faces(data);
    this.tip = new Tip(data, this.faces);
    this.tiles = new Tiles(data, this.faces, {
      onhover: (index, element) => this.pointAtTile(index, element),
      onchoose: (index) => this.choose(index),
    });
    this.filters = new Filters(data);
    this.panel = new Panel(find('panel'), data, this.tiles, NO_NEIGHBOURS);
    this.panel.clear = () => this.panel.host.replaceChildren(make('p', { class: 'hint', text: HINT }));
    this.panel.clear();
    this.legend = new Legend(find('legend'), this.filters, () => this.filter());
    this.theme = new Theme(find('theme'), () => this.paint());
    this.selected = [];
    this.layouts = data.layouts.filter((layout) => !layout.name.startsWith(SIDES.there));
    this.maps = Object.fromEntries(Object.keys(SIDES).map((side) => [side, this.newMap(side)]));
    this.layOut(this.layouts[0]);
    this.fillPickers();
    this.listen();
    this.paint();
  }

  newMap(side) {
    const whose = side === 'here' ? 'this run' : 'the other run';
    const label = `Map of ${counted(this.data.count, 'sample')} in ${whose}. Arrow keys walk from sample to sample.`;
    return new LatentMap(find(`plot-${side}`), this.data.count, label, {
      hover: (index, x, y) => this.pointAtMap(side, index, x, y),
      pick: (index) => (index < 0 ? this.clear() : this.choose(index, side)),
      region: (indices) => this.select('', indices),
    });
  }

  get both() {
    return Object.values(this.maps);
  }

  layOut(layout, animate = false) {
    for (const [side, prefix] of Object.entries(SIDES)) {
      const { places } = this.data.layouts.find((one) => one.name === prefix + layout.name);
      this.maps[side].setPlaces(places, animate);
    }
  }

  // ---- pickers

  fillPickers() {
    fillSelect(find('layout'), this.layouts, (layout) => this.layOut(layout, true));
    fillSelect(find('colour'), this.data.fields, (field) => this.colourBy(field));
    this.field = this.data.fields[0];
    for (const mode of MODES) find(`mode-${mode}`).addEventListener('click', () => this.setMode(mode));
    find('fit').addEventListener('click', () => this.both.forEach((map) => map.fit()));
    // Not when the form is sent: in MLflow's sandbox forms may not be.
    find('search').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      this.search(find('search').value.trim());
    });
  }

  setMode(mode) {
    for (const other of MODES) find(`mode-${other}`).setAttribute('aria-pressed', String(other === mode));
    for (const map of this.both) {
      map.mode = mode;
      map.host.dataset.mode = mode;
    }
  }

  colourBy(field) {
    this.field = field;
    find('colour').value = field.name;
    this.paint();
  }

  paint() {
    if (!this.field) return;
    const theme = this.theme.name, { slots, colours } = pointColours(this.field, this.data.count, theme);
    for (const map of this.both) map.setColours(slots, colours, rgb(PALETTES[theme].dim));
    this.legend.show(this.field, colours);
  }

  // ---- what is shown, selected and chosen

  filter() {
    const passing = this.filters.passing(), isPart = this.selected.length > 1, lit = new Set(this.selected);
    const states = passing.map((passes, index) => (!passes ? HIDDEN : !isPart || lit.has(index) ? LIT : DIM));
    for (const map of this.both) map.setStates(states);
    const shown = passing.reduce((sum, passes) => sum + passes, 0), all = passing.length;
    find('shown').textContent = shown === all ? '' : `${shown.toLocaleString('en')} of ${counted(all, 'sample')} shown`;
  }

  /** One sample, on both maps; the map `from` which it was chosen stays as it is. */
  choose(index, from = '') {
    this.setSelected([index]);
    for (const [side, map] of Object.entries(this.maps)) {
      map.choose(index);
      if (side !== from) map.reveal(index);
    }
    this.panel.showSample(index, []);
    announce([this.data.id(index), ...this.data.fields.filter((field) => field.hover).map((field) => `${field.title} ${field.text(index)}`)].join(', '));
  }

  select(title, indices) {
    this.setSelected(indices);
    for (const map of this.both) map.choose(-1);
    this.panel.showMany(title, indices);
  }

  clear() {
    this.setSelected([]);
    for (const map of this.both) map.choose(-1);
    this.panel.clear();
    this.tip.hide();
  }

  setSelected(indices) {
    const hadMany = this.selected.length > 1;
    this.selected = indices;
    if (hadMany || indices.length > 1) this.filter();
  }

  search(text) {
    find('found').textContent = '';
    if (!text) return this.clear();
    const found = this.data.search(text, 500);
    if (!found.length) find('found').textContent = `No id has “${text}” in it.`;
    else if (found.length === 1 || this.data.id(found[0]) === text) this.choose(found[0]);
    else this.select(`ids with “${text}”`, found);
    return undefined;
  }

  // ---- pointing: what is pointed at on one map is ringed on the other

  pointAtMap(side, index, x, y) {
    const box = find(`plot-${side}`).getBoundingClientRect();
    this.tip.show(index, box.left + x, box.top + y);
    for (const [other, map] of Object.entries(this.maps)) {
      if (other === side) continue;
      map.ring(index);
      if (map.isPlaced(index)) this.keepClear(map, index, box.left + x, box.top + y);
    }
  }

  /** Moves the tip to the other side of the pointer where it would hide the ring on the other map. */
  keepClear(map, index, x, y) {
    const tip = this.tip.box.getBoundingClientRect(), host = map.host.getBoundingClientRect(), room = 16;
    const [left, top] = map.screen(index), ring = [host.left + left, host.top + top];
    const isOver = ring[0] > tip.left - room && ring[0] < tip.right + room && ring[1] > tip.top - room && ring[1] < tip.bottom + room;
    if (!isOver) return;
    const aside = tip.left > x ? x - room - tip.width : x + room;
    const fits = aside >= 0 && aside + tip.width <= innerWidth;
    this.tip.box.style.transform = fits ? `translate(${aside}px, ${tip.top}px)` : `translate(${tip.left}px, ${Math.max(0, y - room - tip.height)}px)`;
  }

  pointAtTile(index, element) {
    this.tip.showAt(index, element);
    for (const map of this.both) map.ring(index);
  }

  listen() {
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.setMode('pan');
      this.clear();
    });
    addEventListener('scroll', () => this.tip.hide(), { passive: true });
    for (const opener of document.querySelectorAll('[data-where]')) {
      opener.addEventListener('click', () => this.open(opener));
    }
    addEventListener('beforeprint', () => {
      this.themeBefore = document.documentElement.dataset.theme;
      this.theme.set('light');
      for (const map of this.both) map.drawNow();
    });
    addEventListener('afterprint', () => this.theme.set(this.themeBefore));
  }

  /** A button of a section that stands for samples with some values, as {"group": "3", "other_group": "5"}. */
  open(opener) {
    this.select(opener.dataset.title ?? '', this.data.where(JSON.parse(opener.dataset.where)));
    find('map').scrollIntoView({ behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  }

  /** What is told in the comment above. */
  get forOthers() {
    const { data, maps } = this, page = this, row = (index) => (index < 0 ? null : data.rows[index]);
    const told = (map) => ({
      drawn: () => map.drawn(),
      screen: (wanted) => {
        const index = data.indexOf(wanted), box = map.host.getBoundingClientRect();
        if (!map.isPlaced(index)) return null;
        const [x, y] = map.screen(index);
        return [box.left + x, box.top + y];
      },
      get ringed() { return row(map.hovered); },
    });
    return {
      maps: { here: told(maps.here), there: told(maps.there) },
      get selected() { return page.selected.map(row); },
      theme: (name) => page.theme.set(name),
    };
  }
}

const HINT = 'Point at a sample to see it and where it lies on the other map; click it to keep it. Draw around samples with Lasso, Box or Shift to select them on both maps.';

async function openPage() {
  const page = new ComparePage(await PageData.read());
  Object.defineProperties(window.report, Object.getOwnPropertyDescriptors(page.forOthers));
  document.documentElement.dataset.ready = '';
  page.tiles.fillAll(document);
}

window.report = {};
window.report.ready = openPage();
window.report.ready.catch((error) => {
  find('panel').textContent = `This page could not be opened (${error.message}). A newer browser may help.`;
  throw error;
});
