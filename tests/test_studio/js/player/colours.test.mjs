import assert from 'node:assert/strict';
import { test } from 'node:test';
import { colourOf, inkOn } from '../../../../vpd_mm/studio/static/js/player/colours.js';

test('classes have colours of their own', () => {
  const colours = Array.from({ length: 60 }, (_, index) => colourOf(index));
  assert.equal(new Set(colours).size, 60);
  assert.ok(colours.every((colour) => /^#[0-9a-f]{6}$/.test(colour)), colours.join());
  assert.equal(colourOf(-1), '#888888'); // a class that the list does not have
});

test('text on a colour is at least 4.5:1', () => {
  const luminance = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const value = parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (let index = -1; index < 60; index++) {
    const [low, high] = [colourOf(index), inkOn(colourOf(index))].map(luminance).sort((a, b) => a - b);
    assert.ok((high + 0.05) / (low + 0.05) >= 4.5, `${index} ${colourOf(index)}: ${((high + 0.05) / (low + 0.05)).toFixed(2)}`);
  }
});
