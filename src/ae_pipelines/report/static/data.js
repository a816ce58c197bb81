'use strict';

// What the page knows about its samples, unpacked from one block of columns.
//
// A sample has three names: its `row` in the sample store (what links and sections use), its id (what people
// use) and its `index`, its place in the page's columns, which is what all code here passes around.

const NO_PLACE = 65535;  // both coordinates: a sample that galleries show and that is not on the map

function readJson(elementId) {
  return JSON.parse(document.getElementById(elementId).textContent);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).arrayBuffer();
}

/** The numbers that the 65,536 patterns of half precision (IEEE 754 binary16) stand for. */
function halfPrecision() {
  const numbers = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) numbers[bits] = fraction ? NaN : sign * Infinity;
    else if (exponent === 0) numbers[bits] = sign * fraction * 2 ** -24;
    else numbers[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return numbers;
}

const HALVES = halfPrecision();
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });  // a mark at the start of an id is part of it

/** Three significant digits, without the tail of zeros that nobody reads. */
function shortNumber(value) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  return size >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function counted(number, one, many = one + 's') {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** One thing known of every sample: a category with names, or a number. */
class Field {
  constructor(about, column) {
    Object.assign(this, about);  // as fields.py gives it: name, title, kind, …; names, or low and high
    this.column = column;
    this.isCategory = about.kind === 'category';
  }

  /** The number of the sample's category. */
  category(index) {
    return this.column[index];
  }

  number(index) {
    return this.scale ? HALVES[this.column[index]] * this.scale : this.column[index];
  }

  text(index) {
    return this.isCategory ? this.nameOf(this.column[index]) : this.shown(this.number(index));
  }

  /** A number of this field as people read it. */
  shown(number) {
    if (!Number.isFinite(number)) return this.unknown;
    return this.kind === 'date' ? new Date(number * 86_400_000).toISOString().slice(0, 10) : shortNumber(number);
  }

  nameOf(category) {
    return this.names[category] === '' ? this.unknown : this.names[category];
  }

  /** How many samples each category has. */
  get sizes() {
    if (!this.counts) {
      this.counts = new Uint32Array(this.names.length);
      for (const category of this.column) this.counts[category]++;
    }
    return this.counts;
  }
}

class PageData {
  /** Unpacks the block of the page; its text is removed, so that it is not in memory twice. */
  static async read() {
    const element = document.getElementById('report-block');
    const buffer = await gunzip(fromBase64(element.textContent));
    element.remove();
    return new PageData(readJson('report-index'), buffer);
  }

  constructor(about, buffer) {
    const types = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };
    this.about = about;
    this.columns = {};
    for (const [name, part] of Object.entries(about.columns)) {
      this.columns[name] = new types[part.type](buffer, part.offset, part.length);
    }
    this.rows = this.columns.row;
    this.count = this.rows.length;
    this.layouts = about.layouts.map((layout) => ({ ...layout, places: this.columns[layout.column] }));
    this.fields = about.fields.map((field) => new Field(field, this.columns[field.column]));
    this.idStarts = runningSum(this.columns.id_length);
  }

  field(name) {
    return this.fields.find((field) => field.name === name);
  }

  /** The index of a row of the sample store; -1 where the page does not have it. */
  indexOf(row) {
    let low = 0, high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] < row) low = middle + 1;
      else high = middle;
    }
    return this.rows[low] === row ? low : -1;
  }

  id(index) {
    const bytes = this.columns.id.subarray(this.idStarts[index], this.idStarts[index + 1]);
    return UTF8.decode(bytes);
  }

  /** The sample with this id; -1 where there is none. */
  withId(id) {
    const wanted = new TextEncoder().encode(id), bytes = this.columns.id;
    for (let index = 0; index < this.count; index++) {
      const start = this.idStarts[index];
      if (this.idStarts[index + 1] - start !== wanted.length) continue;
      let same = 0;
      while (same < wanted.length && bytes[start + same] === wanted[same]) same++;
      if (same === wanted.length) return index;
    }
    return -1;
  }

  /** Samples whose ids have this text in them, whatever its case, at most `most`; an equal id comes first. */
  search(text, most) {
    const exact = this.withId(text), wanted = text.toLowerCase(), found = exact < 0 ? [] : [exact];
    for (let index = 0; index < this.count && found.length < most; index++) {
      if (index !== exact && this.id(index).toLowerCase().includes(wanted)) found.push(index);
    }
    return found;
  }

  /** Samples that have these values of categories, as {"label": "3", "predicted": "5"}. */
  where(values) {
    const wanted = Object.entries(values).map(([name, value]) => {
      const field = this.field(name);
      return [field, field && field.isCategory ? field.names.indexOf(value ?? '') : -1];
    });
    if (wanted.some(([, category]) => category < 0)) return [];
    const found = [];
    for (let index = 0; index < this.count; index++) {
      if (wanted.every(([field, category]) => field.column[index] === category)) found.push(index);
    }
    return found;
  }
}

function runningSum(lengths) {
  const sums = new Uint32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) sums[i + 1] = sums[i] + lengths[i];
  return sums;
}
