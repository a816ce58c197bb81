// Samples in galleries: buttons that show a sample, tell of it when pointed at, and choose it when pressed.

const AT_ONCE = 24;  // tiles filled before the page may do something else
const COLUMNS_TOLD = 8;  // of a table, where one of its samples is pointed at

class Tiles {
  /** `onhover(index, element)` with -1 when the pointer leaves; `onchoose(index)`. */
  constructor(data, faces, { onhover, onchoose }) {
    Object.assign(this, { data, faces, onhover, onchoose });
  }

  tile(index, caption = '') {
    const id = this.data.id(index), picture = this.faces.picture(index);
    const tile = make('button', {
      type: 'button', class: `tile ${this.faces.kind}`, 'data-row': this.data.rows[index],
      'aria-label': [`sample ${id}`, caption].filter(Boolean).join(', '),
      onclick: () => this.onchoose(index),
      onpointerenter: (event) => { if (event.pointerType === 'mouse') this.onhover(index, tile); },
      onpointerleave: () => this.onhover(-1),
      onfocus: () => { if (tile.matches(':focus-visible')) this.onhover(index, tile); },
      onblur: () => this.onhover(-1),
    });
    tile.append(picture ?? make('span', { class: 'tile-id', text: id, dir: 'auto' }));
    if (caption) tile.append(make('span', { class: 'caption', text: caption, dir: 'auto' }));
    return tile;
  }

  /** A gallery that shows some samples, and more of them when asked for. */
  gallery(indices, captions = [], most = 60) {
    const gallery = make('div', { class: 'gallery' });
    const show = (from) => {
      const shown = indices.slice(from, from + most);
      gallery.append(...shown.map((index, place) => this.tile(index, captions[from + place])));
      const left = indices.length - from - most;
      if (left <= 0) return;
      const more = button(`${Math.min(left, most).toLocaleString('en')} more of ${left.toLocaleString('en')}`, () => {
        more.remove();
        show(from + most);
      }, { class: 'more' });
      gallery.append(more);
    };
    show(0);
    return gallery;
  }

  /** Fills what sections left empty: `data-samples` has rows of the store, `data-captions` a text for each. */
  async fillAll(root) {
    const missing = [];
    for (const gallery of root.querySelectorAll('[data-samples]')) {
      const captions = JSON.parse(gallery.dataset.captions ?? '[]');
      JSON.parse(gallery.dataset.samples).forEach((row, place) => {
        const index = this.data.indexOf(row), slot = make('span', { class: 'slot' });
        gallery.append(slot);
        if (index >= 0) missing.push({ index, slot, caption: captions[place] });
      });
    }
    for (let start = 0; start < missing.length; start += AT_ONCE) {
      for (const { index, slot, caption } of missing.slice(start, start + AT_ONCE)) {
        slot.replaceWith(this.tile(index, caption));
      }
      await new Promise((go) => setTimeout(go));
    }
  }
}

/** The box beside the pointer that tells of a sample. */
class Tip {
  constructor(data, faces) {
    Object.assign(this, { data, faces });
    this.box = make('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
    document.body.append(this.box);
    this.index = -1;
  }

  /** Beside a place of the window. */
  show(index, x, y) {
    if (index < 0) return this.hide();
    if (index !== this.index) this.fill(index);
    this.index = index;
    this.box.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.box, gap = 16;
    const left = x + gap + width < innerWidth ? x + gap : Math.max(4, x - gap - width);
    const top = y + gap + height < innerHeight ? y + gap : Math.max(4, y - gap - height);
    this.box.style.transform = `translate(${left}px, ${top}px)`;
  }

  /** Below an element. */
  showAt(index, element) {
    if (index < 0) return this.hide();
    const box = element.getBoundingClientRect();
    this.show(index, box.left, box.bottom - 8);
  }

  hide() {
    this.index = -1;
    this.box.hidden = true;
  }

  fill(index) {
    const picture = this.faces.picture(index), columns = this.faces.columns.slice(0, COLUMNS_TOLD);
    const shown = [...this.data.fields.filter((field) => field.hover), ...columns];
    const text = make('div', {}, make('p', { class: 'id', text: this.data.id(index), dir: 'auto' }),
                      facts(shown.map((field) => [field.title, field.text(index)])));
    this.box.replaceChildren(...(picture ? [picture] : []), text);
    this.box.dataset.row = this.data.rows[index];
  }
}
