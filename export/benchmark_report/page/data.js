"use strict";

// The measurements by field. A field is a list of numbers, or of texts: its distinct `values`, and
// the index of one, its code, for each measurement. A row is the index of a measurement.
const DATA = JSON.parse(document.getElementById("data").textContent);
const FIELDS = DATA.fields;
const DASH = "—";
const NO_BREAK = "\u00a0"; // between a number and its unit
const COLORS = 8; // in style.css

function value(key, row) {
  const field = FIELDS[key];
  return Array.isArray(field) ? field[row] : field.values[field.codes[row]];
}

function detail(key, row) {
  const field = DATA.details[key];
  return field.values[field.codes[row]];
}

// Return a field as a list of distinct values and of codes, also if it is one of numbers.
function coded(key) {
  const field = FIELDS[key];
  if (!Array.isArray(field)) return field;
  const values = [...new Set(field)].sort((a, b) => a - b);
  const codes = new Map(values.map((each, code) => [each, code]));
  return { values, codes: field.map((each) => codes.get(each)) };
}

// Return for each row the number of its group: rows of a group have equal values of the keys.
function grouped(keys) {
  const fields = keys.map(coded);
  const groups = new Map();
  return Array.from({ length: DATA.count }, (_, row) => {
    const key = fields.map((field) => field.codes[row]).join(" ");
    if (!groups.has(key)) groups.set(key, groups.size);
    return groups.get(key);
  });
}

function basename(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

// Three significant digits, or more if the integer part has more; as Python's `significant`.
function significant(number) {
  const exponent = Number(number.toExponential(2).split("e")[1]);
  return thousands(number.toFixed(Math.max(0, 2 - exponent)));
}

function thousands(text) {
  const [whole, fraction] = text.split(".");
  const separated = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? separated : `${separated}.${fraction}`;
}

function plural(number, noun) {
  return `${thousands(String(number))} ${noun}${number === 1 ? "" : "s"}`;
}

// Return a new element with attributes and children; a text is never parsed as HTML.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, each] of Object.entries(attributes)) {
    if (each === true) made.setAttribute(key, "");
    else if (each !== false && each !== null) made.setAttribute(key, each);
  }
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}
