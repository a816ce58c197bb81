// What one sees of a sample: an image or a line (series, vectors). Of tables there is nothing to be seen but values.
//
// Images lie in sheets, many in one picture. A sheet is decoded when one of its images is first asked for, and
// few are held decoded, for each takes megabytes.

const SHEETS_HELD = 10;
const PIXELATED = 40;  // up to so many pixels wide, an image is enlarged in squares, which shows what it is made of

class Sheets {
  constructor(about) {
    this.about = about;
    this.held = new Map();
  }

  /** A decoded sheet. */
  sheet(number) {
    let found = this.held.get(number);
    if (found) this.held.delete(number);  // to be put last: the first was not asked for longest
    else found = this.decode(number);
    this.held.set(number, found);
    if (this.held.size > SHEETS_HELD) this.forget(this.held.keys().next().value);
    return found;
  }

  decode(number) {
    const bytes = fromBase64(document.getElementById(`report-sheet-${number}`).textContent);
    return createImageBitmap(new Blob([bytes], { type: this.about.type }));
  }

  forget(number) {
    this.held.get(number).then((sheet) => sheet.close(), () => {});
    this.held.delete(number);
  }

  async draw(canvas, index) {
    const { width, height, across, on_a_sheet: onASheet } = this.about, place = index % onASheet;
    const left = (place % across) * width, top = Math.floor(place / across) * height;
    // Drawn as soon as it is there: it may be forgotten next.
    await this.sheet(Math.floor(index / onASheet)).then((sheet) => {
      canvas.getContext('2d').drawImage(sheet, left, top, width, height, 0, 0, width, height);
    });
    canvas.dataset.drawn = '';
  }
}

class Faces {
  constructor(data) {
    this.data = data;
    this.images = data.about.thumbnails ? new Sheets(data.about.thumbnails) : null;
    this.lines = data.about.sparklines ?? null;
    this.columns = data.fields.filter((field) => field.is_column);
    this.kind = this.images ? 'image' : this.lines ? 'line' : 'text';
  }

  /** An element that shows a sample, or null where there is nothing to be seen of it. */
  picture(index) {
    if (this.images) return this.image(index);
    if (this.lines) return this.line(index);
    return null;
  }

  image(index) {
    const { width, height } = this.images.about;
    const canvas = make('canvas', { class: 'face', width, height, 'aria-hidden': 'true' });
    canvas.classList.toggle('pixelated', Math.max(width, height) <= PIXELATED);
    this.images.draw(canvas, index);
    return canvas;
  }

  line(index) {
    const { points, lines, low, high } = this.lines, width = 120, height = 60, own = points * lines;
    const values = this.data.columns.sparklines.subarray(index * own, (index + 1) * own);
    const svg = drawn('svg', {
      class: 'face line', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true',
    });
    for (let line = 0; line < lines; line++) {
      const corners = Array.from(values.subarray(line * points, (line + 1) * points), (value, place) =>
        `${((place + 0.5) / points) * width},${(height - 2 - (value / 255) * (height - 4)).toFixed(1)}`);
      svg.append(drawn('polyline', { class: `line-${line}`, points: corners.join(' ') }));
    }
    const zero = height - 2 - ((0 - low) / (high - low)) * (height - 4);
    if (low < 0 && high > 0) svg.prepend(drawn('line', { class: 'zero', x1: 0, x2: width, y1: zero, y2: zero }));
    return svg;
  }
}

function drawn(tag, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
