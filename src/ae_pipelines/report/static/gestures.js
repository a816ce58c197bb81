// What people do to a map with a pointer, fingers, a wheel or keys: they move it, point, pick and draw outlines.

const REACH = { mouse: 9, pen: 12, touch: 24 };  // pixels from a point at which it is meant
const CLICK = 5;  // pixels that a click may slip
const SCROLLING = 250;  // milliseconds for which a page that is being scrolled is not taken for a map to be zoomed

class Gestures {
  constructor(map) {
    this.map = map;
    this.pointers = new Map();
    const { canvas } = map;
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.release(event));
    canvas.addEventListener('pointercancel', (event) => this.release(event, true));
    canvas.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.hover(-1);  // a finger that is lifted leaves what it has tapped
    });
    canvas.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    canvas.addEventListener('keydown', (event) => this.key(event));
    addEventListener('wheel', (event) => {
      if (event.target !== canvas) this.scrolled = performance.now();
    }, { passive: true });
  }

  /** Where an event is on the map. */
  spot(event) {
    const box = this.map.host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The point that an event means; -1: none. */
  meant(event) {
    return this.map.pointAt(...this.spot(event), REACH[event.pointerType] ?? REACH.mouse);
  }

  press(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    this.map.canvas.setPointerCapture(event.pointerId);
    const spot = this.spot(event);
    this.pointers.set(event.pointerId, spot);
    this.pressed = spot;
    this.slipped = false;
    this.map.outline = [];
    const { mode } = this.map, one = event.shiftKey && mode === 'pan' ? 'lasso' : mode;
    this.gesture = this.pointers.size > 1 ? 'pinch' : one;
    this.hover(-1);
  }

  move(event) {
    const [x, y] = this.spot(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      this.hover(this.meant(event), x, y);
      return;
    }
    if (Math.hypot(x - this.pressed[0], y - this.pressed[1]) > CLICK) this.slipped = true;
    if (this.gesture === 'pinch') this.pinch(event.pointerId, [x, y]);
    else if (this.gesture === 'pan' && this.slipped) this.map.pan(x - before[0], y - before[1]);
    else if (this.gesture === 'lasso') this.extendLasso(x, y);
    else if (this.gesture === 'box') this.map.outline = corners(this.pressed, [x, y]);
    if (this.gesture !== 'pan' || this.slipped) this.pointers.set(event.pointerId, [x, y]);
    if (this.map.outline.length) this.map.drawOverlay();
  }

  extendLasso(x, y) {
    const last = this.map.outline.at(-1) ?? this.pressed;
    if (!this.map.outline.length) this.map.outline.push(this.pressed);
    if (Math.hypot(x - last[0], y - last[1]) >= 2) this.map.outline.push([x, y]);
  }

  pinch(pointer, spot) {
    const other = [...this.pointers].find(([id]) => id !== pointer)?.[1], before = this.pointers.get(pointer);
    if (!other) return;
    const apart = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]) || 1;
    this.slipped = true;
    this.map.zoom(apart(spot) / apart(before), (spot[0] + other[0]) / 2, (spot[1] + other[1]) / 2);
    this.map.pan((spot[0] - before[0]) / 2, (spot[1] - before[1]) / 2);
  }

  release(event, isCancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const outline = this.map.outline;
    if (this.pointers.size) return;
    this.map.outline = [];
    this.map.drawOverlay();
    if (isCancelled || this.gesture === 'pinch') return;
    if (outline.length > 2 && this.slipped) this.map.on.region(this.map.pointsInside(outline));
    else if (!this.slipped) this.pick(event);
  }

  pick(event) {
    const point = this.meant(event);
    this.map.on.pick(point);
    if (event.pointerType === 'touch') this.hover(point, ...this.spot(event));
  }

  /** The pointer is over this point, at this place of the map; -1: over none. */
  hover(point, x = 0, y = 0) {
    if (point !== this.map.hovered) this.map.ring(point);
    this.map.canvas.classList.toggle('over-point', point >= 0);
    this.map.on.hover(point, x, y);
  }

  wheel(event) {
    if (performance.now() - (this.scrolled ?? -Infinity) < SCROLLING) {
      this.scrolled = performance.now();
      return;
    }
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? this.map.height : 1);
    this.map.zoom(Math.exp(-Math.max(-300, Math.min(300, pixels)) / 350), ...this.spot(event));
  }

  key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in arrows) this.walk(...arrows[event.key]);
    else if (event.key === '+' || event.key === '=') this.map.zoom(1.3);
    else if (event.key === '-') this.map.zoom(1 / 1.3);
    else if (event.key === '0') this.map.fit();
    else return;
    event.preventDefault();
  }

  walk(right, up) {
    const { map } = this, { width, height } = map;
    const middle = () => map.pointAt(width / 2, height / 2, Math.max(width, height));
    const found = map.isPlaced(map.chosen) ? map.next(map.chosen, right, up) : middle();
    if (found < 0) return;
    map.on.pick(found);
    map.reveal(found);
  }
}

function corners([x, y], [otherX, otherY]) {
  return [[x, y], [otherX, y], [otherX, otherY], [x, otherY]];
}
