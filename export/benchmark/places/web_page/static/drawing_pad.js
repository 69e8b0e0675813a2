/** A pad for strokes by finger, mouse or keyboard. */

import { plural } from "./format.js";

const LINE_WIDTH = 0.06; // of the pad's width
const KEY_STEP = 0.03;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class DrawingPad {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {function({x: number, y: number}[][]): void} onChange gets all strokes
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = []; // points as fractions of the pad
    this.pen = { x: 0.5, y: 0.5 };
    canvas.onpointerdown = (event) => this.pointerDown(event);
    canvas.onpointermove = (event) => this.pointerMove(event);
    canvas.onpointerup = () => this.lift();
    canvas.onpointercancel = () => this.lift();
    canvas.onkeydown = (event) => this.keyDown(event);
    canvas.onfocus = () => this.draw();
    canvas.onblur = () => this.lift();
  }

  undo() {
    this.lift();
    this.strokes.pop();
    this.changed();
  }

  clear() {
    this.lift();
    this.strokes = [];
    this.changed();
  }

  pointerDown(event) {
    this.hasKeys = false;
    this.canvas.setPointerCapture(event.pointerId);
    this.lower(this.point(event));
  }

  pointerMove(event) {
    if (!this.stroke || this.hasKeys) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) this.extend(this.point(each));
    this.changed();
  }

  keyDown(event) {
    if (event.key === " ") {
      this.hasKeys = true;
      if (this.stroke) this.lift();
      else this.lower({ ...this.pen });
    } else if (event.key in KEYS) {
      this.hasKeys = true;
      const [dx, dy] = KEYS[event.key];
      const inside = (value) => Math.min(Math.max(value, 0), 1);
      this.pen = { x: inside(this.pen.x + dx * KEY_STEP), y: inside(this.pen.y + dy * KEY_STEP) };
      if (this.stroke) this.extend({ ...this.pen });
      this.changed();
    } else {
      return;
    }
    event.preventDefault();
  }

  lower(point) {
    this.stroke = [point];
    this.strokes.push(this.stroke);
    this.changed();
  }

  extend(point) {
    this.stroke.push(point);
  }

  lift() {
    this.stroke = undefined;
    this.draw();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  changed() {
    this.draw();
    const count = this.strokes.length;
    const content = count ? `with ${plural(count, "stroke")}` : "empty";
    this.canvas.setAttribute("aria-label", `Drawing pad, ${content}`);
    this.onChange(this.strokes);
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const size = this.canvas.width;
    context.clearRect(0, 0, size, size);
    context.strokeStyle = "#fff";
    context.lineWidth = LINE_WIDTH * size;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes) {
      context.beginPath();
      for (const { x, y } of [stroke[0], ...stroke]) context.lineTo(x * size, y * size);
      context.stroke();
    }
    if (this.hasKeys) {
      context.strokeStyle = this.stroke ? "#a9bcff" : "#596273";
      context.lineWidth = 4;
      context.strokeRect(this.pen.x * size - 12, this.pen.y * size - 12, 24, 24);
    }
  }
}
