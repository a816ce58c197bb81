// What the colours mean, and which samples are shown: a press hides a category, two sliders narrow a number.

const WITH_SEARCH = 12;  // categories from which on there is a field to find one
const LISTED = 100;  // categories that are listed at once; the others are found by their names

class Filters {
  constructor(data) {
    this.data = data;
    this.hidden = new Map();  // by field: a set of categories
    this.ranges = new Map();  // by field: [least, most]
  }

  hiddenOf(field) {
    if (!this.hidden.has(field)) this.hidden.set(field, new Set());
    return this.hidden.get(field);
  }

  isActive(field) {
    return this.ranges.has(field) || Boolean(this.hidden.get(field)?.size);
  }

  get active() {
    return this.data.fields.filter((field) => this.isActive(field));
  }

  clear(field) {
    this.hidden.delete(field);
    this.ranges.delete(field);
  }

  /** For each sample 1 if all filters let it pass, else 0. */
  passing() {
    const passing = new Uint8Array(this.data.count).fill(1);
    for (const field of this.active) {
      const hidden = this.hidden.get(field), [least, most] = this.ranges.get(field) ?? [-Infinity, Infinity];
      for (let index = 0; index < passing.length; index++) {
        if (field.isCategory) passing[index] &= hidden.has(field.column[index]) ? 0 : 1;
        else {
          const number = field.number(index);
          passing[index] &= number >= least && number <= most ? 1 : 0;
        }
      }
    }
    return passing;
  }
}

class Legend {
  constructor(host, filters, onchange) {
    Object.assign(this, { host, filters, onchange });
  }

  show(field, colours) {
    Object.assign(this, { field, colours });
    const heading = this.heading(), body = field.isCategory ? this.categories() : this.numbers();
    this.host.replaceChildren(heading, ...body, ...this.others());
    this.update();
  }

  heading() {
    this.all = button('Show all', () => {
      this.filters.clear(this.field);
      this.show(this.field, this.colours);
      this.onchange();
    }, { class: 'plain' });
    return make('div', { class: 'legend-head' }, make('h3', { text: this.field.title }), this.all);
  }

  /** Other fields that hide samples, each with a way to undo it. */
  others() {
    return this.filters.active.filter((field) => field !== this.field).map((field) => button(
      `Also filtered by ${field.title.toLowerCase()}: show all`,
      () => { this.filters.clear(field); this.show(this.field, this.colours); this.onchange(); },
      { class: 'plain' }));
  }

  // ---- categories

  categories() {
    const { names, sizes } = this.field;
    this.order = [...names.keys()].filter((category) => sizes[category]);
    if (this.order.length > WITH_SEARCH) this.order.sort((a, b) => sizes[b] - sizes[a]);
    this.list = make('ul', { class: 'categories' });
    const parts = [this.list];
    if (this.order.length > WITH_SEARCH) {
      parts.unshift(make('input', {
        type: 'search', class: 'narrow', placeholder: `Find among ${this.order.length.toLocaleString('en')}`,
        'aria-label': `Find among the values of ${this.field.title}`, oninput: (event) => this.fill(event.target.value),
      }));
    }
    this.fill('');
    return parts;
  }

  fill(text) {
    const wanted = text.toLowerCase();
    const found = this.order.filter((category) => this.field.nameOf(category).toLowerCase().includes(wanted));
    this.list.replaceChildren(...found.slice(0, LISTED).map((category) => this.category(category)));
    if (found.length > LISTED) {
      const rest = (found.length - LISTED).toLocaleString('en');
      this.list.append(make('li', { class: 'rest', text: `${rest} smaller ones: type to find them` }));
    }
    this.update();
  }

  category(category) {
    const name = this.field.nameOf(category), size = this.field.sizes[category].toLocaleString('en');
    const swatch = make('span', { class: 'swatch' });
    swatch.style.backgroundColor = css(this.colours[category]);
    const about = { class: 'category', 'data-category': category, title: name };
    const toggle = button('', () => this.toggle(category), about);
    toggle.append(swatch, make('span', { class: 'name', text: name, dir: 'auto' }),
                  make('span', { class: 'size', text: size }));
    const only = button('only', () => this.only(category), { class: 'only', 'aria-label': `Show only ${name}` });
    return make('li', {}, toggle, only);
  }

  toggle(category) {
    const hidden = this.filters.hiddenOf(this.field);
    if (!hidden.delete(category)) hidden.add(category);
    this.update();
    this.onchange();
  }

  only(category) {
    this.filters.hidden.set(this.field, new Set(this.order.filter((other) => other !== category)));
    this.update();
    this.onchange();
  }

  update() {
    this.all.hidden = !this.filters.isActive(this.field);
    const hidden = this.filters.hidden.get(this.field);
    for (const toggle of this.host.querySelectorAll('.category')) {
      toggle.setAttribute('aria-pressed', String(!hidden?.has(Number(toggle.dataset.category))));
    }
  }

  // ---- numbers

  numbers() {
    const bar = make('canvas', { class: 'ramp', width: this.colours.length - 1, height: 1, 'aria-hidden': 'true' });
    const pen = bar.getContext('2d');
    this.colours.slice(0, -1).forEach((colour, step) => { pen.fillStyle = css(colour); pen.fillRect(step, 0, 1, 1); });
    this.ends = make('p', { class: 'ends' });
    const [least, most] = this.filters.ranges.get(this.field) ?? [-Infinity, Infinity];
    this.least = this.slider('Least shown', least === -Infinity ? 0 : this.share(least));
    this.most = this.slider('Most shown', most === Infinity ? 100 : this.share(most));
    this.tellRange();
    return [bar, make('div', { class: 'sliders' }, this.least, this.most), this.ends];
  }

  slider(label, value) {
    const about = { type: 'range', min: 0, max: 100, step: 1, 'aria-label': `${label}: ${this.field.title}` };
    const slider = make('input', about);
    slider.value = value;
    slider.addEventListener('input', () => this.narrow());
    return slider;
  }

  share(number) {
    return Math.round((100 * (number - this.field.low)) / (this.field.high - this.field.low || 1));
  }

  /** The sliders' ends let everything pass: there are numbers beyond the ends of the ramp. */
  narrow() {
    const [least, most] = [Number(this.least.value), Number(this.most.value)].sort((a, b) => a - b);
    const number = (share) => this.field.low + ((this.field.high - this.field.low) * share) / 100;
    if (least === 0 && most === 100) this.filters.clear(this.field);
    else {
      const range = [least === 0 ? -Infinity : number(least), most === 100 ? Infinity : number(most)];
      this.filters.ranges.set(this.field, range);
    }
    this.tellRange();
    this.update();
    this.onchange();
  }

  tellRange() {
    const [least, most] = this.filters.ranges.get(this.field) ?? [-Infinity, Infinity];
    const low = least === -Infinity ? `${this.field.shown(this.field.low)} or less` : this.field.shown(least);
    const high = most === Infinity ? `${this.field.shown(this.field.high)} or more` : this.field.shown(most);
    this.ends.replaceChildren(make('span', { text: low }), make('span', { text: high }));
  }
}
