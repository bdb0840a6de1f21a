// Colours of classes: eight that colour-blind readers tell apart (Okabe and Ito), then hues far from each other.

const FIRST = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#f0e442', '#8c6bb1'];

export function colourOf(index) {
  if (index < 0) return '#888888';
  return FIRST[index] ?? `hsl(${Math.round((index * 137.508) % 360)} 60% ${index % 2 ? 45 : 65}%)`;
}
