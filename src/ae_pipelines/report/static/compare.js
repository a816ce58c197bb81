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

class ComparePage extends MapPage {
  constructor(data) {
    super(data);
    this.panel = new Panel(find('panel'), data, this.tiles, NO_NEIGHBOURS);
    this.panel.clear = () => this.panel.host.replaceChildren(make('p', { class: 'hint', text: HINT }));
    this.panel.clear();
    this.of = Object.fromEntries(Object.keys(SIDES).map((side) => [side, this.newMap(side)]));
    const layouts = data.layouts.filter((layout) => !layout.name.startsWith(SIDES.there));
    this.layOut(layouts[0]);
    this.fillPickers(layouts, (layout) => this.layOut(layout, true));
    this.listen();
    this.paint();
  }

  newMap(side) {
    const whose = side === 'here' ? 'this run' : 'the other run';
    const label = `Map of ${counted(this.data.count, 'sample')} in ${whose}. Arrow keys walk from sample to sample.`;
    return new LatentMap(find(`plot-${side}`), this.data.count, label, {
      hover: (index, x, y) => this.pointAtMap(side, index, x, y),
      pick: (index) => (index < 0 ? this.clear() : this.choose(index, { from: side })),
      region: (indices) => this.select('', indices),
    });
  }

  get maps() {
    return Object.values(this.of);
  }

  layOut(layout, animate = false) {
    for (const [side, prefix] of Object.entries(SIDES)) {
      const { places } = this.data.layouts.find((one) => one.name === prefix + layout.name);
      this.of[side].setPlaces(places, animate);
    }
  }

  /** One sample, on both maps; the map `from` which it was chosen stays as it is. */
  choose(index, { from = '' } = {}) {
    this.setSelected([index]);
    for (const [side, map] of Object.entries(this.of)) {
      map.choose(index);
      if (side !== from) map.reveal(index);
    }
    this.panel.showSample(index, []);
    this.announceSample(index);
  }

  // ---- pointing: what is pointed at on one map is ringed on the other

  pointAtMap(side, index, x, y) {
    const box = find(`plot-${side}`).getBoundingClientRect();
    this.tip.show(index, box.left + x, box.top + y);
    for (const [other, map] of Object.entries(this.of)) {
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

  /** What is told in the comment above. */
  get forOthers() {
    const { data } = this, page = this, row = (index) => (index < 0 ? null : data.rows[index]);
    const told = (map) => ({
      drawn: () => map.drawn(),
      screen: (wanted) => page.screen(map, wanted),
      get ringed() { return row(map.hovered); },
    });
    return {
      maps: { here: told(this.of.here), there: told(this.of.there) },
      get selected() { return page.selected.map(row); },
      theme: (name) => page.theme.set(name),
    };
  }
}

const HINT = 'Point at a sample to see it and where it lies on the other map; click it to keep it. Draw around samples with Lasso, Box or Shift to select them on both maps.';

openPage(ComparePage);
