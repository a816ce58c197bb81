// Wires the parts of a run's page. What tests and the curious may use is `window.report`:
//
//   await report.ready           the page can be used
//   await report.map.drawn()     all points are drawn
//   report.map.screen(row)       where a sample is on the map: [x, y] in the window, pixels; null: it has no place
//   report.map.select(rows)      as if these samples had been drawn around
//   report.selected              rows of the samples that are selected or chosen
//   report.neighbours(row)       [{ row, distance }, …], nearest first
//   report.theme('dark')         'light', 'dark'; '' as the system has it

class Page extends MapPage {
  constructor(data) {
    super(data);
    this.neighbours = new Neighbours(data);
    this.panel = new Panel(find('panel'), data, this.tiles, this.neighbours);
    this.addMap();
    this.fillPickers(data.layouts, (layout) => this.map.setPlaces(layout.places, true));
    this.listen();
    this.paint();
  }

  get maps() {
    return [this.map];
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

  /** One sample: the panel tells of it and of its neighbours. */
  choose(index, { reveal = false, centre = false } = {}) {
    const near = this.neighbours.find(index), { data } = this;
    this.setSelected([index]);
    this.map.choose(index, near.map((one) => one.index));
    this.panel.showSample(index, near);
    if (centre) this.map.centre(index);
    else if (reveal) this.map.reveal(index);
    setHash(`#id=${encodeURIComponent(data.id(index))}`);
    this.announceSample(index);
  }

  select(title, indices) {
    super.select(title, indices);
    setHash('');
  }

  clear() {
    super.clear();
    setHash('');
  }

  // ---- finding

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

  listen() {
    super.listen();
    addEventListener('hashchange', () => this.followHash());
  }

  opened() {
    this.followHash();
  }

  /** What is told in the comment above. */
  get forOthers() {
    const { data, map } = this, page = this, row = (index) => data.rows[index];
    return {
      map: {
        screen: (wanted) => page.screen(map, wanted),
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

openPage(Page);
