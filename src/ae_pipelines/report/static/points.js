// Draws points with WebGL2. It knows places, colours and states, and nothing of samples.
//
// Points are drawn in one random order, opaque: what shows of a crowd is then a fair sample of it, where blended
// colours would turn to grey. A picture of very many points is drawn in parts, a part a frame, each as large as
// the machine draws in about `FRAME` milliseconds: while the view moves only the first parts are seen.

const FRAME = 12;
const FEWEST_AT_ONCE = 4_000;
const FIRST_AT_ONCE = 30_000;  // until it is known how long a part takes
const HIDDEN = 0, DIM = 1, LIT = 2;
const PALETTE_WIDTH = 256;

const VERTEX_SHADER = `#version 300 es
in vec2 from;
in vec2 to;
in float slot;
in float state;
uniform vec2 centre, scale;
uniform float moved, litSize, dimSize;
uniform vec3 dim;
uniform highp sampler2D palette;
out vec3 colour;
out float size;
void main() {
  bool placed = min(from.x, from.y) < 1.0 && min(to.x, to.y) < 1.0;
  if (state < 0.5 || !placed) { gl_Position = vec4(2, 2, 2, 1); gl_PointSize = size = 0.0; return; }
  int number = int(slot);
  bool lit = state > 1.5;
  colour = lit ? texelFetch(palette, ivec2(number % ${PALETTE_WIDTH}, number / ${PALETTE_WIDTH}), 0).rgb : dim;
  gl_Position = vec4((mix(from, to, moved) - centre) * scale, lit ? 0.0 : 0.5, 1);
  size = lit ? litSize : dimSize;
  gl_PointSize = size;
}`;

const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec3 colour;
in float size;
out vec4 result;
void main() {
  float edge = (0.5 - length(gl_PointCoord - 0.5)) * size;
  float cover = clamp(edge + 0.5, 0.0, 1.0);
  if (cover < 0.05) discard;
  result = vec4(colour * cover, cover);
}`;

class Points {
  /** `undefined` as `gl` tells that there is no WebGL2: then nothing is drawn. */
  constructor(canvas, count) {
    this.canvas = canvas;
    this.count = count;
    this.atOnce = Math.min(count, FIRST_AT_ONCE);
    this.gl = canvas.getContext('webgl2', { antialias: false, preserveDrawingBuffer: true }) ?? undefined;
    this.order = shuffled(count);
    this.kept = {};  // what was given, so that it can be given again to a new context
    if (this.gl) this.prepare();
  }

  /** Everything that lives in the context; called again where the context was lost and has come back. */
  prepare() {
    const { gl } = this;
    const program = linked(gl, VERTEX_SHADER, FRAGMENT_SHADER);
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.DEPTH_TEST);  // a dim point never covers a lit one
    gl.depthFunc(gl.LEQUAL);
    gl.clearColor(0, 0, 0, 0);
    this.uniforms = {};
    for (const name of ['centre', 'scale', 'moved', 'litSize', 'dimSize', 'dim']) {
      this.uniforms[name] = gl.getUniformLocation(program, name);
    }
    this.attributes = {};
    for (const name of ['from', 'to', 'slot', 'state']) {
      this.attributes[name] = { place: gl.getAttribLocation(program, name), buffer: gl.createBuffer() };
    }
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    this.fence = null;
    for (const give of Object.values(this.kept)) give();
  }

  /** Where points are, and where they were: two arrays of pairs, 16 bits each. */
  setPlaces(from, to) {
    this.give('places', () => {
      this.upload('from', from, 2, this.gl.UNSIGNED_SHORT, true);
      this.upload('to', to, 2, this.gl.UNSIGNED_SHORT, true);
    });
  }

  /** The number of each point's colour, and the colours as [red, green, blue]; `dim` is for points that are not lit. */
  setColours(slots, colours, dim) {
    const { gl } = this, height = Math.ceil(colours.length / PALETTE_WIDTH);
    const texels = new Uint8Array(4 * PALETTE_WIDTH * height);
    colours.forEach((colour, number) => texels.set([...colour, 255], 4 * number));
    this.give('colours', () => {
      this.upload('slot', slots, 1, gl.UNSIGNED_SHORT, false);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, PALETTE_WIDTH, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
      gl.uniform3f(this.uniforms.dim, ...dim.map((value) => value / 255));
    });
  }

  /** HIDDEN, DIM or LIT for each point. */
  setStates(states) {
    this.give('states', () => this.upload('state', states, 1, this.gl.UNSIGNED_BYTE, false));
  }

  give(name, how) {
    if (!this.gl) return;
    this.kept[name] = how;
    how();
  }

  upload(name, values, size, type, asShare) {
    const { gl } = this, { place, buffer } = this.attributes[name];
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, inOrder(values, size, this.order), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, asShare, 0, 0);
  }

  /** Starts a picture: `centre` of the view in shares of the plane, `scale` from there to the canvas (-1 to 1). */
  begin(centre, scale, moved, litSize, dimSize) {
    const { gl } = this;
    if (!gl) return;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform2f(this.uniforms.centre, ...centre);
    gl.uniform2f(this.uniforms.scale, ...scale);
    gl.uniform1f(this.uniforms.moved, moved);
    gl.uniform1f(this.uniforms.litSize, litSize);
    gl.uniform1f(this.uniforms.dimSize, dimSize);
    this.done = 0;
  }

  /** Draws the next part of the picture; whether it is whole then. Not while the machine `isBusy` with the last one. */
  drawPart() {
    const { gl } = this;
    if (!gl || gl.isContextLost() || this.done >= this.count) return true;
    const part = Math.min(this.atOnce, this.count - this.done);
    gl.drawArrays(gl.POINTS, this.done, part);
    this.done += part;
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.fenced = { at: performance.now(), part };
    gl.flush();
    return this.done >= this.count;
  }

  /** Whether the last part is still being drawn; if not, how long that took decides how large the next one is. */
  isBusy() {
    const { gl } = this;
    if (!this.fence || gl.isContextLost()) return false;
    if (gl.getSyncParameter(this.fence, gl.SYNC_STATUS) !== gl.SIGNALED) return true;
    gl.deleteSync(this.fence);
    this.fence = null;
    const took = Math.max(1, performance.now() - this.fenced.at);
    const wanted = (this.fenced.part * FRAME) / took;
    const next = Math.max(this.atOnce / 2, Math.min(this.atOnce * 1.5, wanted));
    this.atOnce = Math.round(Math.max(Math.min(FEWEST_AT_ONCE, this.count), Math.min(this.count, next)));
    return false;
  }

  /** Draws all that is missing of the picture at once. */
  drawRest() {
    const { gl } = this;
    if (!gl || this.done >= this.count) return;
    gl.drawArrays(gl.POINTS, this.done, this.count - this.done);
    this.done = this.count;
  }
}

function linked(gl, ...sources) {
  const program = gl.createProgram();
  [gl.VERTEX_SHADER, gl.FRAGMENT_SHADER].forEach((type, place) => {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, sources[place]);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  });
  gl.linkProgram(program);
  const isLinked = gl.getProgramParameter(program, gl.LINK_STATUS) || gl.isContextLost();
  if (!isLinked) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

/** The numbers below `count` in random order, always the same one (Fisher-Yates; xorshift32). */
function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, place) => place);
  let state = 2463534242;
  for (let last = count - 1; last > 0; last--) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** Values of points, `size` numbers each, in another order. */
function inOrder(values, size, order) {
  const sorted = new values.constructor(values.length);
  for (let place = 0; place < order.length; place++) {
    for (let part = 0; part < size; part++) sorted[place * size + part] = values[order[place] * size + part];
  }
  return sorted;
}
