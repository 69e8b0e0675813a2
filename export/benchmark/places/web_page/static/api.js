/** Messages to the server of the page; see `web_page/server.py`. */

const BASE = new URL("api/", document.baseURI);
const REMEMBERED = "cnn-keras-page"; // so that the page can be loaded again

let page;

/** The server answers with an error, or not at all. */
export class ServerError extends Error {}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(new URL(path, BASE), options);
  } catch {
    throw new ServerError("The computer does not answer; the command has ended.");
  }
  if (!response.ok) throw new ServerError((await response.text()).trim());
  return response;
}

function post(path, body, type = "application/json") {
  const content = type === "application/json" ? JSON.stringify(body) : body;
  return request(path, { method: "POST", headers: { "Content-Type": type }, body: content });
}

async function bytes(path) {
  try {
    return await (await request(path)).arrayBuffer();
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw new ServerError("The download was interrupted."); // the body ended early
  }
}

/** Tells the server which browser this is. */
export async function join(host) {
  const response = await post("join", { host, page: sessionStorage.getItem(REMEMBERED) });
  ({ page } = await response.json());
  sessionStorage.setItem(REMEMBERED, page);
}

/** Waits for a task after the one with this number. */
export async function nextTask(after) {
  for (;;) {
    const task = await (await request(`${page}/task?after=${after}`)).json();
    if (task.kind !== "wait") return task;
  }
}

export const file = () => bytes(`${page}/file`);
export const images = () => bytes(`${page}/images`);

export function progress(fraction) {
  return post(`${page}/progress`, { fraction });
}

/** Sends raw outputs. */
export function answerBytes(sequence, buffer) {
  return post(`${page}/answer/${sequence}`, buffer, "application/octet-stream");
}

/** Sends a row. */
export function answer(sequence, row) {
  return post(`${page}/answer/${sequence}`, row);
}

/** Says why a task cannot be done: because of the file, or of this browser. */
export function fail(sequence, message, about) {
  return post(`${page}/error/${sequence}`, { message: message.slice(0, 1000), about });
}
