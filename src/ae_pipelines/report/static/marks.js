// What is drawn over the points of a map: the chosen one and its neighbours, the one pointed at, an outline.

class Marks {
  constructor(map, canvas) {
    this.map = map;
    this.canvas = canvas;
  }

  draw() {
    const { map } = this, pen = this.canvas.getContext('2d');
    pen.setTransform(map.density, 0, 0, map.density, 0, 0);
    pen.clearRect(0, 0, map.width, map.height);
    pen.strokeStyle = pen.fillStyle = getComputedStyle(map.host).color;
    if (map.isPlaced(map.chosen)) this.drawChosen(pen);
    if (map.isPlaced(map.hovered)) circle(pen, ...map.screen(map.hovered), map.pointSize() / 2 + 3, 2);
    if (map.outline.length) drawOutline(pen, map.outline);
  }

  drawChosen(pen) {
    const [x, y] = this.map.screen(this.map.chosen), size = this.map.pointSize();
    pen.lineWidth = 1;
    pen.globalAlpha = 0.55;
    for (const other of this.map.near.filter((one) => this.map.isPlaced(one))) {
      const [otherX, otherY] = this.map.screen(other);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(otherX, otherY);
      pen.stroke();
      circle(pen, otherX, otherY, size / 2 + 1.5, 1);
    }
    pen.globalAlpha = 1;
    circle(pen, x, y, size / 2 + 5, 3);
  }
}

function circle(pen, x, y, radius, width) {
  pen.lineWidth = width;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.stroke();
}

function drawOutline(pen, outline) {
  pen.beginPath();
  outline.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.globalAlpha = 0.08;
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.setLineDash([5, 4]);
  pen.stroke();
  pen.setLineDash([]);
}
