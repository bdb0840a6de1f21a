// Colours of classes: eight that colour-blind readers tell apart (Okabe and Ito), then hues far from each other; of text on them.

const FIRST = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#f0e442', '#8c6bb1'];

export function colourOf(index) {
  if (index < 0) return '#888888';
  return FIRST[index] ?? fromHue((index * 137.508) % 360, index % 2 ? 0.45 : 0.65);
}

// Black or white, whichever is easier to read on a colour '#rrggbb'.
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#000000' : '#ffffff';
}

// Hue in degrees, saturation 0.6.
function fromHue(hue, lightness) {
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    const value = lightness - 0.6 * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value).toString(16).padStart(2, '0');
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}
