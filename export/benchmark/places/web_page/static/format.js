/** Numbers and words as the Android app shows them. */

/** Formats a number with three significant digits, or more if its integer part has more. */
export function significant(value) {
  const digits = value ? Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))) : 0;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

export function milliseconds(value) {
  return `${significant(value)}\u00a0ms`;
}

export function percent(probability) {
  return `${(probability * 100).toFixed(1)}\u00a0%`;
}

export function kilobytes(bytes) {
  return `${Math.round(bytes / 1000).toLocaleString("en")}\u00a0kB`;
}

export function imageSize([, height, width, channels]) {
  const colors = { 1: "gray", 3: "RGB" }[channels] ?? `with ${channels} channels`;
  return `${width}\u00a0×\u00a0${height}\u00a0${colors}`;
}

export function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
