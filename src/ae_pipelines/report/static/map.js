// A map of points that people pan, zoom, point at and draw outlines on. It knows nothing of the page: it is given
// places, colours and states, and tells what people do through `on`:
//
//   hover(point, x, y)  the pointer is over a point (-1: over none), at this place of the map in pixels
//   pick(point)         a click, a tap or an arrow key chose a point (-1: none)
//   region(points)      an outline was drawn around these points
//   view()              what is seen has moved
//
// The view is the place of the plane in the middle (shares from 0 to 1) and the pixels that the plane's side takes.

const NO_WEBGL = 'This browser has no WebGL2, so the map cannot be drawn. All else on this page works.';
const MARGIN = 0.94;  // of the map that points fill at first
const MOST_ZOOM = 4000;
const MOVE_MILLISECONDS = 600;
const STRIDE = 4;  // pixels that an arrow key goes at least

class LatentMap {
  /** Fills `host`, an element with a size of its own, with a map of `count` points. */
  constructor(host, count, label, on) {
    this.host = host;
    this.count = count;
    this.on = { hover() {}, pick() {}, region() {}, view() {}, ...on };
    this.canvas = make('canvas', { class: 'points', tabindex: 0, role: 'application', 'aria-label': label });
    this.overlay = make('canvas', { class: 'overlay', 'aria-hidden': 'true' });
    host.append(this.canvas, this.overlay);
    this.points = new Points(this.canvas, count);
    this.grids = new Map();
    this.mode = 'pan';
    this.chosen = -1;
    this.near = [];
    this.hovered = -1;
    this.outline = [];
    this.waiting = [];
    this.moved = 1;
    this.measure();
    this.setStates(new Uint8Array(count).fill(LIT));
    this.hasWebGL = Boolean(this.points.gl);
    if (!this.hasWebGL) this.explain(NO_WEBGL);
    this.marks = new Marks(this, this.overlay);
    new Gestures(this);
    this.canvas.addEventListener('webglcontextlost', (event) => this.lose(event));
    this.canvas.addEventListener('webglcontextrestored', () => this.recover());
    new ResizeObserver(() => this.resize()).observe(host);
  }

  explain(text) {
    this.message?.remove();
    this.message = text ? make('p', { class: 'no-map', role: 'status', text }) : null;
    if (this.message) this.host.append(this.message);
  }

  // ---- what is shown

  /** Puts the points at these places; with `animate` they move there from where they are. */
  setPlaces(places, animate = false) {
    const before = this.places ?? places;
    this.places = places;
    if (!this.grids.has(places)) this.grids.set(places, new Grid(places));
    this.grid = this.grids.get(places);
    this.bounds = boundsOf(places);
    const fit = this.fitted();
    if (animate && before !== places && !matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.points.setPlaces(before, places);
      this.travel(this.view, fit);
    } else {
      this.points.setPlaces(places, places);
      this.moved = 1;
      this.view = fit;
      this.isFitted = true;
      this.draw();
    }
  }

  travel(from, to) {
    const started = performance.now();
    this.isFitted = true;
    const step = () => {
      if (this.travelling !== step) return;
      const time = Math.min(1, (performance.now() - started) / MOVE_MILLISECONDS);
      this.moved = time * time * (3 - 2 * time);
      this.view = between(from, to, this.moved);
      if (time === 1) {
        this.points.setPlaces(this.places, this.places);
        this.travelling = null;
      } else {
        requestAnimationFrame(step);
      }
      this.draw();
    };
    this.travelling = step;
    step();
  }

  setColours(slots, colours, dim) {
    this.points.setColours(slots, colours, dim);
    this.draw();
  }

  /** HIDDEN, DIM or LIT for each point; hidden ones cannot be pointed at either. */
  setStates(states) {
    this.states = states;
    this.points.setStates(states);
    this.shown = this.lit = 0;
    for (const state of states) {
      if (state) this.shown++;
      if (state === LIT) this.lit++;
    }
    this.draw();
  }

  /** Marks a point, with lines to others; -1: none. */
  choose(point, near = []) {
    this.chosen = point;
    this.near = near;
    this.drawOverlay();
  }

  /** Rings a point, as the pointer does; -1: none. */
  ring(point) {
    this.hovered = point;
    this.drawOverlay();
  }

  // ---- where things are

  isPlaced(point) {
    return point >= 0 && (this.places[2 * point] !== NO_PLACE || this.places[2 * point + 1] !== NO_PLACE);
  }

  /** Where a point is on the map, in pixels from its upper left corner. */
  screen(point) {
    const { x, y, scale } = this.view;
    return [(this.places[2 * point] / PLACES - x) * scale + this.width / 2,
            this.height / 2 - (this.places[2 * point + 1] / PLACES - y) * scale];
  }

  /** The place of the plane, in the numbers of places, under a pixel of the map. */
  plane(pixelX, pixelY) {
    const { x, y, scale } = this.view;
    return [((pixelX - this.width / 2) / scale + x) * PLACES, ((this.height / 2 - pixelY) / scale + y) * PLACES];
  }

  /** The point under a pixel, at most `reach` pixels away; -1: none. */
  pointAt(x, y, reach) {
    return this.grid.nearest(...this.plane(x, y), (reach / this.view.scale) * PLACES, (point) => this.states[point]);
  }

  /** The points inside an outline of pixels [[x, y], …]. */
  pointsInside(outline) {
    return this.grid.inside(outline.map(([x, y]) => this.plane(x, y)), (point) => this.states[point]);
  }

  /** The next point from one in a direction: near, and not far off the line; -1: none. */
  next(point, right, up) {
    const [x, y] = this.screen(point);
    for (let reach = 24; reach < 2 * Math.max(this.width, this.height); reach *= 2) {
      const found = this.nearestTowards(x, y, right, up, reach);
      if (found >= 0) return found;
    }
    return -1;
  }

  nearestTowards(x, y, right, up, reach) {
    let found = -1, best = Infinity;
    const [left, bottom] = this.plane(x - reach, y + reach), [end, top] = this.plane(x + reach, y - reach);
    this.grid.each(left, bottom, end, top, (other) => {
      if (!this.states[other]) return;
      const [otherX, otherY] = this.screen(other);
      const along = (otherX - x) * right - (otherY - y) * up;
      const aside = Math.abs((otherX - x) * up + (otherY - y) * right);
      if (along < STRIDE || along > reach || aside > along) return;
      if (along + 2 * aside < best) [found, best] = [other, along + 2 * aside];
    });
    return found;
  }

  // ---- the view

  fitted() {
    const { left, bottom, right, top } = this.bounds;
    const scale = MARGIN * Math.min(this.width / (right - left), this.height / (top - bottom));
    return { x: (left + right) / 2, y: (bottom + top) / 2, scale };
  }

  fit() {
    this.setView(this.fitted());
    this.isFitted = true;
  }

  setView(view) {
    this.travelling = null;
    if (this.moved < 1) this.points.setPlaces(this.places, this.places);
    this.moved = 1;
    const least = this.fitted().scale / 3;
    this.view = { ...view, scale: Math.max(least, Math.min(view.scale, least * MOST_ZOOM)) };
    this.isFitted = false;
    this.draw();
    this.on.view();
  }

  /** Zooms about a pixel of the map, which stays where it is. */
  zoom(factor, pixelX = this.width / 2, pixelY = this.height / 2) {
    const [x, y] = this.plane(pixelX, pixelY);
    this.setView({ ...this.view, scale: this.view.scale * factor });
    const [newX, newY] = this.plane(pixelX, pixelY);
    this.setView({ ...this.view, x: this.view.x + (x - newX) / PLACES, y: this.view.y + (y - newY) / PLACES });
  }

  pan(right, down) {
    const { x, y, scale } = this.view;
    this.setView({ x: x - right / scale, y: y + down / scale, scale });
  }

  /** Moves a point into the middle, and near enough to see it. */
  centre(point) {
    if (!this.isPlaced(point)) return;
    const scale = Math.max(this.view.scale, this.fitted().scale * 3);
    this.setView({ x: this.places[2 * point] / PLACES, y: this.places[2 * point + 1] / PLACES, scale });
  }

  /** Moves the map, if it has to, so far that a point is on it. */
  reveal(point) {
    if (!this.isPlaced(point)) return;
    const [x, y] = this.screen(point), edge = 24;
    const beyond = (value, size) => Math.min(0, value - edge) + Math.max(0, value - (size - edge));
    const [right, down] = [beyond(x, this.width), beyond(y, this.height)];
    if (right || down) this.pan(-right, -down);
  }

  // ---- drawing

  measure() {
    const { width, height } = this.host.getBoundingClientRect();
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.density = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(this.width * this.density);
      canvas.height = Math.round(this.height * this.density);
    }
  }

  /** The picture is drawn anew in the next frame, however often this is called before. */
  draw() {
    this.isStale = true;
    if (!this.frame) this.frame = requestAnimationFrame(() => this.drawFrame());
  }

  drawFrame() {
    this.frame = 0;
    if (!this.places) return;
    const isBusy = this.points.isBusy();  // what is on the screen stays until the next picture can begin
    if (this.isStale && !isBusy) this.begin();
    const isWhole = !isBusy && this.points.drawPart();
    if (!isWhole) this.frame = requestAnimationFrame(() => this.drawFrame());
    else this.waiting.splice(0).forEach((tell) => tell());
  }

  begin() {
    this.isStale = false;
    const { x, y, scale } = this.view;
    this.points.begin([x, y], [(2 * scale) / this.width, (2 * scale) / this.height], this.moved,
                      this.pointSize() * this.density, this.sizeFor(this.shown) * 0.8 * this.density);
    this.drawOverlay();
  }

  /** Draws everything at once, for paper, which does not wait; the picture keeps its shape until `afterPrint`. */
  print() {
    this.isPrinting = true;
    this.host.style.setProperty('--map-shape', `${this.width} / ${this.height}`);
    if (!this.places) return;
    this.begin();
    this.points.drawRest();
  }

  afterPrint() {
    this.isPrinting = false;
    this.resize();
  }

  /** Fulfilled when the picture is whole. */
  drawn() {
    return new Promise((tell) => {
      this.waiting.push(tell);
      this.frame ||= requestAnimationFrame(() => this.drawFrame());
    });
  }

  /** Pixels of a lit point. */
  pointSize() {
    return this.sizeFor(this.lit);
  }

  /** The fewer points and the nearer the view, the larger. */
  sizeFor(count) {
    const room = Math.sqrt((this.width * this.height) / Math.max(1, count));
    const near = Math.sqrt(this.view.scale / this.fitted().scale);
    return Math.max(1.4, Math.min(14, Math.min(8, 1 + 0.6 * room) * near));
  }

  drawOverlay() {
    if (this.hasWebGL && this.places) this.marks.draw();
  }

  // ---- what happens to it

  resize() {
    if (this.isPrinting) return;
    const { width, height } = this.host.getBoundingClientRect();
    const isSame = Math.abs(width - this.width) < 0.5 && Math.abs(height - this.height) < 0.5;
    if (isSame && this.density === Math.min(2, window.devicePixelRatio || 1)) return;
    if (!width || !height) return;
    this.measure();
    if (!this.places) return;
    if (this.isFitted) this.view = this.fitted();
    this.draw();
  }

  lose(event) {
    event.preventDefault();  // else it never comes back
    this.explain('The graphics of this computer were reset. The map will be drawn again in a moment.');
  }

  recover() {
    this.explain('');
    this.points.prepare();
    this.draw();
  }
}

function boundsOf(places) {
  let left = PLACES, bottom = PLACES, right = 0, top = 0;
  for (let i = 0; i < places.length; i += 2) {
    const x = places[i], y = places[i + 1];
    if (x === NO_PLACE && y === NO_PLACE) continue;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < bottom) bottom = y;
    if (y > top) top = y;
  }
  if (left > right) return { left: 0, bottom: 0, right: 1, top: 1 };
  const share = (value) => value / PLACES, least = 0.01;  // one point, or all in a line, has no extent
  return {
    left: share(left) - least, bottom: share(bottom) - least, right: share(right) + least, top: share(top) + least,
  };
}

/** A view on the way from one to another; scales grow by factors. */
function between(from, to, part) {
  const mix = (a, b) => a + (b - a) * part;
  return { x: mix(from.x, to.x), y: mix(from.y, to.y), scale: from.scale * (to.scale / from.scale) ** part };
}
