// Sizes for people, as in file_size.py: "14.2 MB", or "3.1 of 14.2 MB".

globalThis.sizeOf = (bytes, total) => {
  const power = Math.min(Math.floor((String(Math.round(total ?? bytes)).length - 1) / 3), 5);
  const shown = (n) => (n / 1000 ** power).toFixed(power < 2 ? 0 : 1);
  const unit = `\u00a0${["B", "kB", "MB", "GB", "TB", "PB"][power]}`;
  return (total === undefined ? shown(bytes) : `${shown(bytes)} of ${shown(total)}`) + unit;
};
