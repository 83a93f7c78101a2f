// Sizes for people, as in file_size.py: "14.2 MB", or "3.1 of 14.2 MB".

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

const rounded = (bytes, power) => {
  const scale = power < 2 ? 1 : 10;
  return Math.round(bytes / (1000 ** power / scale)) / scale;
};

globalThis.sizeOf = (bytes, total) => {
  const power = [0, 1, 2, 3, 4].find((n) => rounded(total || bytes, n) < 1000) ?? 5;
  const numbers = (total ? [bytes, total] : [bytes]).map((n) => rounded(n, power));
  return `${numbers.map((n) => n.toFixed(power < 2 ? 0 : 1)).join(" of ")}\u00a0${UNITS[power]}`;
};
