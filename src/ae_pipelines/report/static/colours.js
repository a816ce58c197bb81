// Which colour a category or a number has: red, green and blue from 0 to 255.
//
// As in the pictures of a run, the largest categories have colours of their own, given in the order of their
// names, all others share a grey, and what is unknown is a paler one. Every colour stands out from the map's
// ground by 3:1; the first ten can be told apart by those who see no red or no green.

const OWN_COLOURS = 20;

const PALETTES = {
  light: {
    own: ['#193ca1', '#e8384f', '#22a276', '#6b6f00', '#7854ba', '#0b7f98', '#9a0957', '#4a2708', '#957ef9', '#d67900',
          '#03569e', '#b20b3c', '#12612e', '#af8d06', '#9167be', '#1f9298', '#a42d78', '#89410b', '#4f44e4', '#ac6509'],
    others: '#787f89',
    unknown: '#b4bac2',
    dim: '#d9dde2',
    ramp: ['#a5c9d6', '#62a5b5', '#3c7fa0', '#3f5590', '#3d2c6d', '#24123f'],
  },
  dark: {
    own: ['#506fe2', '#fe7b4e', '#4fe3a6', '#fff639', '#c384fe', '#b4fffe', '#a25f97', '#cc4a04', '#c3c1fb', '#fcb93e',
          '#70a5cc', '#fbc5c7', '#1fa275', '#d4e076', '#9872cb', '#0fc6bb', '#be839f', '#c77236', '#a2adfc', '#f69703'],
    others: '#8b929b',
    unknown: '#5b626b',
    dim: '#2b3138',
    ramp: ['#3f4b7d', '#3a6f94', '#35938f', '#5cb67c', '#b3d15f', '#fdf3a4'],
  },
};

function rgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/** A colour of the ramp for a share from 0 to 1. */
function ramp(share, theme) {
  const stops = PALETTES[theme].ramp.map(rgb), place = Math.min(share, 0.9999) * (stops.length - 1);
  const first = Math.floor(place), part = place - first;
  return stops[first].map((value, channel) => Math.round(value + (stops[first + 1][channel] - value) * part));
}

/** A colour for each category of a field, by its number. */
function categoryColours(field, theme) {
  const palette = PALETTES[theme];
  const known = [...field.names.keys()].filter((category) => field.names[category] !== '' && field.sizes[category]);
  const largest = known.sort((a, b) => field.sizes[b] - field.sizes[a]).slice(0, OWN_COLOURS).sort((a, b) => a - b);
  const colours = field.names.map((name) => rgb(name === '' ? palette.unknown : palette.others));
  largest.forEach((category, place) => { colours[category] = rgb(palette.own[place]); });
  return colours;
}

const STEPS = 255;  // of the ramp; the step after the last is for missing numbers

/** What the map needs to colour its points: the number of a colour for each point, and the colours. */
function pointColours(field, count, theme) {
  if (field.isCategory) return { slots: Uint16Array.from(field.column), colours: categoryColours(field, theme) };
  const slots = new Uint16Array(count), width = field.high - field.low || 1;
  for (let index = 0; index < count; index++) {
    const share = (field.number(index) - field.low) / width;
    slots[index] = Number.isNaN(share) ? STEPS : Math.round(Math.max(0, Math.min(1, share)) * (STEPS - 1));
  }
  const colours = Array.from({ length: STEPS }, (_, step) => ramp(step / (STEPS - 1), theme));
  return { slots, colours: [...colours, rgb(PALETTES[theme].unknown)] };
}
