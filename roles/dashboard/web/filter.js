// What is shown of messages. Pure.

/** How many messages the page holds. */
export const MAX_HELD = 1000;

/** What stands behind the address of the stream of messages. */
export function query(filter, since) {
  const words = new URLSearchParams();
  const kinds = ['event', 'order', 'log'].filter((kind) => filter.kinds[kind]);
  if (kinds.length && kinds.length < 3) words.set('kind', kinds.join(','));
  for (const word of ['type', 'channel', 'role', 'node']) {
    if (filter[word]?.trim()) words.set(word, filter[word].trim());
  }
  if (since !== null) words.set('since', since);
  const text = words.toString();
  return text ? `?${text}` : '';
}

/** Whether a message has a text somewhere in it. */
export function has(message, text) {
  if (!text) return true;
  const wanted = text.toLowerCase();
  const parts = [message.node, message.role, message.type, message.channel ?? '', dataText(message)];
  return parts.some((part) => part.toLowerCase().includes(wanted));
}

/** The messages that are held, with those that have come; the newest last. */
export const add = (held, come) => (come.length >= MAX_HELD ? come.slice(-MAX_HELD) : [...held.slice(-(MAX_HELD - come.length)), ...come]);

/**
 * What is held once more has been told. Numbers that begin anew are of another life of the node's role: what was held of
 * the one before goes.
 */
export function hear(held, told) {
  const isOther = held.last !== null && told.last < held.last;
  const before = isOther ? { messages: [], leftOut: 0 } : held;
  return {
    messages: add(before.messages, told.messages),
    leftOut: before.leftOut + told.left_out,
    last: told.last,
  };
}

/** Data on one line. */
export function dataText(message) {
  if (message.data_left_out) return '';
  return typeof message.data === 'string' ? message.data : JSON.stringify(message.data) ?? '';
}

/** Messages as lines of JSON. */
export const exported = (messages) => messages.map((message) => `${JSON.stringify(message)}\n`).join('');
