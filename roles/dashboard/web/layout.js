// Where nodes are on the map. Pure: laid out once, and nothing moves by itself afterwards.

export const WIDTH = 1000;
export const HEIGHT = 640;

/** Up to how many nodes are put on a circle. */
const CIRCLE = 12;

/** How far apart nodes want to be, where forces decide. */
const ROOM = 130;

/** How often forces are applied. */
const TICKS = 150;

/** How near two nodes may be on the map, and how often those that are nearer are moved apart. */
const NEAREST = 64;
const ROUNDS = 40;

/** Where every node is: those that have a place keep it, the others get one. */
export function place(names, links, places, own) {
  const missing = names.filter((name) => !places[name]);
  if (!missing.length) return places;
  const isFirst = missing.length === names.length;
  if (isFirst) return names.length > CIRCLE ? byForces(names, links) : onCircle(names, own);
  const result = { ...places };
  for (const name of missing) result[name] = beside(result);
  return result;
}

/** All on a circle, the own node at the top, the others by name. */
export function onCircle(names, own) {
  const sorted = [...names].sort();
  const order = sorted.includes(own) ? [own, ...sorted.filter((name) => name !== own)] : sorted;
  const places = {};
  if (order.length === 1) return { [order[0]]: { x: WIDTH / 2, y: HEIGHT / 2 } };
  // Two or three are closer together: there is no need for long ways.
  const size = order.length <= 3 ? 0.62 : 0.78;
  order.forEach((name, index) => {
    const angle = (index / order.length) * 2 * Math.PI - Math.PI / 2;
    places[name] = rounded(
      WIDTH / 2 + (WIDTH / 2) * size * Math.cos(angle),
      HEIGHT / 2 + (HEIGHT / 2) * size * Math.sin(angle),
    );
  });
  return places;
}

/** Nodes push each other away, and links pull: from a circle, so that it comes out the same each time. */
function byForces(names, links) {
  const nodes = [...names].sort().map((id, index, all) => {
    const angle = (index / all.length) * 2 * Math.PI;
    return { id, x: 400 * Math.cos(angle), y: 280 * Math.sin(angle), dx: 0, dy: 0 };
  });
  const known = new Map(nodes.map((node) => [node.id, node]));
  const pairs = links
    .filter((link) => known.has(link.a) && known.has(link.b) && (link.state === 'up' || link.wanted))
    .map((link) => [known.get(link.a), known.get(link.b)]);
  // In a mesh, links say little about who belongs together: the more there are, the weaker each pulls.
  const pull = Math.min(1, nodes.length / Math.max(1, pairs.length));
  for (let tick = 0; tick < TICKS; tick += 1) {
    for (const node of nodes) [node.dx, node.dy] = [-node.x * 0.05, -node.y * 0.08];
    for (let one = 0; one < nodes.length; one += 1) {
      for (let other = one + 1; other < nodes.length; other += 1) push(nodes[one], nodes[other], 1, (way) => ROOM * ROOM / way);
    }
    for (const [one, other] of pairs) push(one, other, -pull, (way) => way * way / ROOM / 4);
    // Steps become shorter, until it is still.
    const longest = 60 * (1 - tick / TICKS);
    for (const node of nodes) {
      const length = Math.hypot(node.dx, node.dy) || 1;
      const step = Math.min(length, longest) / length;
      node.x += node.dx * step;
      node.y += node.dy * step;
    }
  }
  return intoView(nodes);
}

function push(one, other, sign, force) {
  const [x, y] = [one.x - other.x, one.y - other.y];
  // Not `hypot`, which takes ten times as long.
  const way = Math.max(1, Math.sqrt(x * x + y * y));
  const strength = (sign * force(way)) / way;
  one.dx += x * strength;
  one.dy += y * strength;
  other.dx -= x * strength;
  other.dy -= y * strength;
}

/** The same arrangement, in the size of the map. */
function intoView(nodes) {
  const [left, right] = [Math.min(...nodes.map((node) => node.x)), Math.max(...nodes.map((node) => node.x))];
  const [top, bottom] = [Math.min(...nodes.map((node) => node.y)), Math.max(...nodes.map((node) => node.y))];
  const margin = 60;
  const across = (value, from, to, size) =>
    margin + ((value - from) / Math.max(1, to - from)) * (size - 2 * margin);
  for (const node of nodes) {
    node.x = across(node.x, left, right, WIDTH);
    node.y = across(node.y, top, bottom, HEIGHT);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const node of nodes) [node.dx, node.dy] = [0, 0];
    for (let one = 0; one < nodes.length; one += 1) {
      for (let other = one + 1; other < nodes.length; other += 1) {
        push(nodes[one], nodes[other], 1, (way) => Math.max(0, NEAREST - way) / 2);
      }
    }
    for (const node of nodes) {
      node.x = Math.min(WIDTH - margin, Math.max(margin, node.x + node.dx));
      node.y = Math.min(HEIGHT - margin, Math.max(margin, node.y + node.dy));
    }
  }
  return Object.fromEntries(nodes.map((node) => [node.id, rounded(node.x, node.y)]));
}

/** A place for one that came later: where there is most room. */
function beside(places) {
  const taken = Object.values(places);
  let best = { x: WIDTH / 2, y: HEIGHT / 2 };
  let room = -1;
  for (let x = 80; x <= WIDTH - 80; x += 60) {
    for (let y = 80; y <= HEIGHT - 80; y += 60) {
      const nearest = Math.min(...taken.map((other) => Math.hypot(other.x - x, other.y - y)));
      if (nearest > room) [best, room] = [{ x, y }, nearest];
    }
  }
  return best;
}

const rounded = (x, y) => ({ x: Math.round(x), y: Math.round(y) });

/** Places as they were kept, without what is none. */
export function readPlaces(text) {
  const places = {};
  try {
    for (const [name, place] of Object.entries(JSON.parse(text) ?? {})) {
      if (Number.isFinite(place?.x) && Number.isFinite(place?.y)) places[name] = { x: place.x, y: place.y };
    }
  } catch {
    // Whatever stood there, it was no places.
  }
  return places;
}
