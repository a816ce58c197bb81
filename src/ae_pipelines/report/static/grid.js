// Finds points by where they are: under a pointer, near another one, inside an outline.
//
// Points are sorted into square cells once (counting sort); a question then looks at few cells. Places are
// pairs of numbers from 0 to 65,534; a pair of NO_PLACE is no point.

const PLACES = 65535;

class Grid {
  constructor(places) {
    this.places = places;
    const count = places.length / 2;
    this.cells = Math.min(1024, Math.max(16, 2 ** Math.ceil(Math.log2(Math.sqrt(count / 2 + 1)))));
    this.width = 65536 / this.cells;
    this.starts = new Uint32Array(this.cells * this.cells + 1);
    this.points = new Uint32Array(count);
    this.sort(count);
  }

  sort(count) {
    const { places, starts, points } = this, cellOf = new Int32Array(count);
    for (let point = 0; point < count; point++) {
      const x = places[2 * point], y = places[2 * point + 1];
      cellOf[point] = x === NO_PLACE && y === NO_PLACE ? -1 : this.cell(y) * this.cells + this.cell(x);
      if (cellOf[point] >= 0) starts[cellOf[point] + 1]++;
    }
    for (let cell = 1; cell < starts.length; cell++) starts[cell] += starts[cell - 1];
    const next = starts.slice();
    for (let point = 0; point < count; point++) {
      if (cellOf[point] >= 0) points[next[cellOf[point]]++] = point;
    }
  }

  cell(value) {
    return Math.max(0, Math.min(this.cells - 1, Math.floor(value / this.width)));
  }

  /** Calls `see(point, x, y)` for every point in the cells that this rectangle touches, and perhaps a few more. */
  each(left, bottom, right, top, see) {
    for (let row = this.cell(bottom); row <= this.cell(top); row++) {
      const first = row * this.cells + this.cell(left), last = row * this.cells + this.cell(right);
      for (let at = this.starts[first]; at < this.starts[last + 1]; at++) {
        const point = this.points[at];
        see(point, this.places[2 * point], this.places[2 * point + 1]);
      }
    }
  }

  /** The point nearest to a place, at most `radius` away, of those that are `wanted`; -1: none. */
  nearest(x, y, radius, wanted) {
    let found = -1, best = radius * radius;
    this.each(x - radius, y - radius, x + radius, y + radius, (point, px, py) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= best && wanted(point)) [found, best] = [point, distance];
    });
    return found;
  }

  /** The points inside an outline [[x, y], …] (even-odd rule), in ascending order. */
  inside(outline, wanted) {
    const found = [], xs = outline.map(([x]) => x), ys = outline.map(([, y]) => y);
    this.each(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (point, x, y) => {
      if (isInside(x, y, xs, ys) && wanted(point)) found.push(point);
    });
    return found.sort((a, b) => a - b);
  }
}

function isInside(x, y, xs, ys) {
  let inside = false;
  for (let i = 0, before = xs.length - 1; i < xs.length; before = i++) {
    const crosses = (ys[i] > y) !== (ys[before] > y);
    if (crosses && x < ((xs[before] - xs[i]) * (y - ys[i])) / (ys[before] - ys[i]) + xs[i]) inside = !inside;
  }
  return inside;
}
