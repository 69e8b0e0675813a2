/** The camera: passes its frames on, one after the other. */

import { pixelsOf } from "./images.js";

const FRAME_MS = 200;

export class Camera {
  /**
   * @param {HTMLVideoElement} video shows the frames
   * @param {function(ImageData): Promise<void>} onFrame the next frame waits for it
   */
  constructor(video, onFrame) {
    this.video = video;
    this.onFrame = onFrame;
  }

  /** Browsers offer the camera only in a secure context. */
  static get isAvailable() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  async start() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment" },
      });
    } catch (error) {
      const isDenied = error.name === "NotAllowedError";
      throw new Error(
        isDenied
          ? "The camera is blocked: allow it in the settings of the browser."
          : "The camera is not available; another app may be using it.",
      );
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.passFrames(this.stream);
  }

  async passFrames(stream) {
    while (this.stream === stream) {
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth) await this.onFrame(pixelsOf(this.video, videoWidth, videoHeight));
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
    }
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
  }
}
