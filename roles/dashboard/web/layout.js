// Where nodes are on the map. Pure: laid out once, and nothing moves by itself afterwards.

export const WIDTH = 1000;
export const HEIGHT = 640;

/** Up to how many nodes are put on a circle. */
const CIRCLE = 12;

/** How long a link is, where forces decide. */
const DISTANCE = 150;

/** How often forces are applied. */
const TICKS = 300;

/** Whether this many nodes are laid out by forces. */
export const needsForces = (names) => names.length > CIRCLE;

/**
 * Where every node is: those that have a place keep it, the others get one.
 * `force` is d3-force, where it is needed.
 */
export function place(names, links, places, own, force) {
  const missing = names.filter((name) => !places[name]);
  if (!missing.length) return places;
  const isFirst = missing.length === names.length;
  if (isFirst && force && needsForces(names)) return byForces(names, links, force);
  if (isFirst) return onCircle(names, own);
  const result = { ...places };
  for (const name of missing) result[name] = beside(name, links, result);
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

function byForces(names, links, force) {
  const nodes = [...names].sort().map((id) => ({ id }));
  const known = new Set(names);
  const between = links
    .filter((link) => known.has(link.a) && known.has(link.b) && (link.state === 'up' || link.wanted))
    .map((link) => ({ source: link.a, target: link.b }));
  // In a mesh, links say little about who belongs together: the denser, the weaker they pull.
  const pull = Math.min(0.4, names.length / Math.max(1, between.length) / 3);
  force
    .forceSimulation(nodes)
    .force('link', force.forceLink(between).id((node) => node.id).distance(DISTANCE).strength(pull))
    .force('apart', force.forceManyBody().strength(-420))
    .force('room', force.forceCollide(46))
    .force('x', force.forceX(WIDTH / 2).strength(0.06))
    .force('y', force.forceY(HEIGHT / 2).strength(0.1))
    .stop()
    .tick(TICKS);
  return intoView(nodes);
}

/** The same arrangement, in the size of the map. */
function intoView(nodes) {
  const [left, right] = [Math.min(...nodes.map((node) => node.x)), Math.max(...nodes.map((node) => node.x))];
  const [top, bottom] = [Math.min(...nodes.map((node) => node.y)), Math.max(...nodes.map((node) => node.y))];
  const margin = 60;
  const across = (value, from, to, size) =>
    margin + ((value - from) / Math.max(1, to - from)) * (size - 2 * margin);
  const places = {};
  for (const node of nodes) {
    places[node.id] = rounded(across(node.x, left, right, WIDTH), across(node.y, top, bottom, HEIGHT));
  }
  return places;
}

/** A place for one that came later: where there is most room. */
function beside(name, links, places) {
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
