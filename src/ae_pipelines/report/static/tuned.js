// Wires the page of a study: a trial that is pointed at is marked in every chart and in the table, and one that is
// chosen stays so; the table is sorted by its columns. What tests and the curious may use is `window.report`:
//
//   report.chosen            number of the trial that stays marked; null: none does
//   report.theme('dark')     'light', 'dark'; '' as the system has it

const NEAR = [[0, 0], [0, -4], [0, 4], [-4, 0], [4, 0], [-7, -7], [7, -7], [-7, 7], [7, 7]];  // pixels around the pointer

class TunedPage {
  constructor() {
    this.table = find('trials');
    this.names = [...this.table.tHead.rows[0].cells].map((cell) => cell.textContent);
    this.tip = make('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
    document.body.append(this.tip);
    this.pointed = this.chosen = null;
    this.theme = new Theme(find('theme'), () => {});
    this.listen();
  }

  listen() {
    for (const chart of document.querySelectorAll('svg.trials')) {
      chart.addEventListener('pointermove', (event) => this.point(this.near(chart, event), event));
      chart.addEventListener('pointerleave', () => this.point(null));
      chart.addEventListener('click', (event) => this.choose(this.near(chart, event)));
    }
    addEventListener('scroll', () => this.point(null), { passive: true });
    addEventListener('keydown', (event) => { if (event.key === 'Escape') this.choose(null); });
    for (const row of this.table.tBodies[0].rows) {
      row.addEventListener('pointerenter', () => this.point(row.dataset.trial));
      row.addEventListener('pointerleave', () => this.point(null));
      row.querySelector('.keep').addEventListener('click', () => this.choose(row.dataset.trial));
    }
    [...this.table.tHead.rows[0].cells].forEach((head, column) => {
      head.querySelector('button').addEventListener('click', () => this.sort(head, column));
    });
  }

  /** The trial that is drawn at the pointer or close to it, as the text of its number; null: none is. */
  near(chart, { clientX, clientY }) {
    for (const [x, y] of NEAR) {
      const found = document.elementFromPoint(clientX + x, clientY + y)?.closest('[data-trial]');
      if (found && chart.contains(found)) return found.dataset.trial;
    }
    return null;
  }

  point(trial, event) {
    if (trial !== this.pointed) this.mark('pointed', trial);
    this.pointed = trial;
    this.tip.hidden = trial === null || !event;
    if (!this.tip.hidden) this.tell(trial, event);
  }

  /** One trial; the same again: none. */
  choose(trial) {
    this.chosen = trial === this.chosen ? null : trial;
    this.mark('chosen', this.chosen);
    for (const keep of this.table.querySelectorAll('.keep')) {
      keep.setAttribute('aria-pressed', String(keep.textContent === this.chosen));
    }
    announce(this.chosen === null ? 'No trial is marked' : `Trial ${this.chosen} is marked in all charts`);
  }

  mark(kind, trial) {
    for (const one of document.querySelectorAll(`.${kind}`)) one.classList.remove(kind);
    if (trial === null) return;
    for (const one of document.querySelectorAll(`[data-trial="${trial}"]`)) one.classList.add(kind);
  }

  /** What the table knows of a trial, beside the pointer. */
  tell(trial, { clientX: x, clientY: y }) {
    const cells = [...this.table.querySelector(`tr[data-trial="${trial}"]`).cells].map((cell) => cell.textContent);
    const known = cells.map((text, column) => [this.names[column], text]).slice(1).filter(([, text]) => text !== '—');
    this.tip.replaceChildren(make('div', {}, make('p', { class: 'id', text: `trial ${trial}` }), facts(known)));
    const { offsetWidth: width, offsetHeight: height } = this.tip, gap = 16;
    const left = x + gap + width < innerWidth ? x + gap : Math.max(4, x - gap - width);
    const top = y + gap + height < innerHeight ? y + gap : Math.max(4, y - gap - height);
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  /** By a column, upwards, or downwards if it was upwards; trials without a value come last. */
  sort(head, column) {
    const down = head.getAttribute('aria-sort') === 'ascending', body = this.table.tBodies[0];
    const by = (row) => row.cells[column].dataset.by, numbers = head.classList.contains('number');
    const compare = (a, b) => (numbers ? Number(a) - Number(b) : a.localeCompare(b));
    const rows = [...body.rows].sort((one, other) => {
      const [a, b] = [by(one), by(other)];
      if (a === '' || b === '') return (a === '') - (b === '');
      return down ? compare(b, a) : compare(a, b);
    });
    for (const cell of head.parentElement.cells) cell.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    body.append(...rows);
  }
}

const tuned = new TunedPage();
window.report = { get chosen() { return tuned.chosen; }, theme: (name) => tuned.theme.set(name) };
