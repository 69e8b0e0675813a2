/** What a page can know of its browser and device, with the fields of a row's `host`. */

const BROWSERS = [
  ["Edge", /Edg(?:A|iOS)?\/([\d.]+)/],
  ["Opera", /OPR\/([\d.]+)/],
  ["Samsung Internet", /SamsungBrowser\/([\d.]+)/],
  ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
  ["Chrome", /(?:Chrome|CriOS)\/([\d.]+)/],
  ["Safari", /Version\/([\d.]+).*Safari/],
];

const SYSTEMS = [
  ["Android", /Android/],
  ["iOS", /iPhone|iPad|iPod/],
  ["Windows", /Windows/],
  ["macOS", /Mac OS X/],
  ["ChromeOS", /CrOS/],
  ["Linux", /Linux/],
];

function browserName(agent) {
  for (const [name, pattern] of BROWSERS) {
    const match = pattern.exec(agent);
    if (match) return `${name} ${match[1].split(".")[0]}`;
  }
  return "an unknown browser";
}

function systemName(agent) {
  return SYSTEMS.find(([, pattern]) => pattern.test(agent))?.[0] ?? null;
}

const ARCHITECTURES = { x86_32: "i686", x86_64: "x86_64", arm_32: "armv7l", arm_64: "aarch64" };

/** Architecture and model, which some browsers state in a secure context. */
async function hints() {
  try {
    const names = ["architecture", "bitness", "model"];
    const found = await navigator.userAgentData.getHighEntropyValues(names);
    const architecture = ARCHITECTURES[`${found.architecture}_${found.bitness}`];
    return { architecture, model: found.model };
  } catch {
    return {};
  }
}

export async function describeHost() {
  const { architecture, model } = await hints();
  return {
    cpu: null,
    architecture: architecture ?? null,
    cores: navigator.hardwareConcurrency ?? null,
    instructions: [],
    governor: null,
    load_average: null,
    memory_mb: null,
    os: systemName(navigator.userAgent),
    kernel: null,
    ...(model ? { model } : {}),
    browser: browserName(navigator.userAgent),
  };
}
