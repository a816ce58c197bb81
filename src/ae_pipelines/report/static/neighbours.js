// The samples nearest to one in latent space, nearest first, as [{ index, distance }, …].
//
// Where the page holds the latents (a byte a dimension), all samples are compared; where these would be too large,
// it holds each sample's neighbours. Where it holds neither, `reason` says why.

const NEIGHBOURS = 12;

class Neighbours {
  constructor(data) {
    const about = data.about.neighbours ?? {};
    this.data = data;
    this.reason = about.reason ?? '';
    this.find = { latents: this.byLatents, table: this.byTable }[about.kind] ?? (() => []);
    this.about = about;
  }

  /** Exact on the latents as the page has them. */
  byLatents(index) {
    const { count, columns } = this.data, { steps } = this.about, latents = columns.latents;
    const squares = new Float32Array(count);
    steps.forEach((step, dimension) => {  // a column holds one dimension of all samples
      const column = latents.subarray(dimension * count, (dimension + 1) * count);
      const own = column[index], weight = step * step;
      for (let other = 0; other < count; other++) {
        const difference = column[other] - own;
        squares[other] += weight * difference * difference;
      }
    });
    squares[index] = Infinity;
    return smallest(squares, NEIGHBOURS).map((other) => ({ index: other, distance: Math.sqrt(squares[other]) }));
  }

  byTable(index) {
    const { columns } = this.data, { size } = this.about, farthest = columns.farthest[index];
    return Array.from({ length: size }, (_, place) => ({
      index: columns.nearest[index * size + place],
      distance: (columns.nearness[index * size + place] / 255) * farthest,
    }));
  }
}

/** Places of the smallest values, the smallest first. */
function smallest(values, most) {
  const found = [];
  let limit = Infinity;
  for (let place = 0; place < values.length; place++) {
    if (values[place] >= limit) continue;
    let at = found.length;
    while (at > 0 && values[found[at - 1]] > values[place]) at--;
    found.splice(at, 0, place);
    if (found.length > most) found.pop();
    if (found.length === most) limit = values[found[most - 1]];
  }
  return found;
}
