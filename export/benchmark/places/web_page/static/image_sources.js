/** The buttons for a photo, the camera and a drawing, and what they open. */

import { Camera } from "./camera.js";
import { classify } from "./classifier.js";
import { DrawingPad } from "./drawing_pad.js";
import { decode } from "./images.js";
import { showResult } from "./result_view.js";
import { renderStrokes } from "./strokes.js";

const element = (id) => document.getElementById(id);

export class ImageSources {
  constructor() {
    this.camera = new Camera(element("viewfinder"), (image) => this.show(image));
    this.pad = new DrawingPad(element("pad"), (strokes) => this.showStrokes(strokes));
    element("photo").onclick = () => element("photo-file").click();
    element("photo-file").onchange = ({ target }) => this.openPhoto(target);
    element("camera").onclick = () => this.toggleCamera();
    element("camera-stop").onclick = () => this.closeCamera();
    element("draw").onclick = () => this.toggle("draw", element("draw-card").hidden);
    element("pad-undo").onclick = () => this.pad.undo();
    element("pad-clear").onclick = () => this.pad.clear();
  }

  /** Lets the user choose images, which a file classifies. */
  enable(runner, job) {
    this.runner = runner;
    this.job = job;
    if (!job.preprocessing) {
      this.hint("The file does not state its preprocessing, so it classifies no images here.");
      return;
    }
    const { labels, output } = job;
    for (const id of ["photo", "draw"]) element(id).disabled = false;
    element("camera").disabled = !Camera.isAvailable;
    const notes = ["Images stay in this browser."];
    if (!labels.length || labels.length !== output.shape.at(-1)) {
      notes.push("The file has no labels; the classes are numbered.");
    }
    if (!Camera.isAvailable) notes.push("The camera needs https or the computer itself.");
    this.hint(notes.join(" "));
  }

  hint(text) {
    element("sources-hint").textContent = text;
  }

  async openPhoto(input) {
    const [file] = input.files;
    input.value = ""; // the same file can be chosen again
    if (!file) return;
    this.closeCamera();
    this.toggle("draw", false);
    try {
      await this.show(await decode(file));
    } catch (error) {
      this.showError(error.message);
    }
  }

  showStrokes(strokes) {
    if (!strokes.length) {
      element("result").hidden = true;
      return undefined;
    }
    const { width, height } = this.job.preprocessing;
    return this.show(renderStrokes(strokes, { width, height }, this.job.drawing));
  }

  /** Classifies an image; while one is classified, only the newest is kept. */
  async show(image) {
    this.waiting = image;
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.waiting) {
        const next = this.waiting;
        this.waiting = undefined;
        showResult(this.job, await classify(this.runner, this.job, next));
        element("image-error").hidden = true;
      }
    } catch (error) {
      this.showError(error.message);
    } finally {
      this.isBusy = false;
    }
  }

  showError(message) {
    element("image-error").textContent = message;
    element("image-error").hidden = false;
  }

  async toggleCamera() {
    if (!element("camera-card").hidden) {
      this.closeCamera();
      return;
    }
    this.toggle("draw", false);
    this.toggle("camera", true);
    try {
      await this.camera.start();
    } catch (error) {
      this.closeCamera();
      this.showError(error.message);
    }
  }

  closeCamera() {
    this.camera.stop();
    this.toggle("camera", false);
  }

  /** Shows or hides the card of a source. */
  toggle(name, isOpen) {
    element(`${name}-card`).hidden = !isOpen;
    element(name).setAttribute("aria-expanded", String(isOpen));
    element("image-error").hidden = true;
    if (name === "draw" && isOpen) this.closeCamera();
  }
}
