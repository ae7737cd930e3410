// Small things that several views have.

import { html } from './vendor/preact-htm.js';

/** What stands for a level besides its colour. */
const SHAPES = { good: '●', idle: '○', busy: '◐', warn: '▲', bad: '✕' };

/** A mark with a word. */
export const Level = ({ level, children }) => html`
  <span class=${`level ${level}`}><span aria-hidden="true">${SHAPES[level]}</span> ${children}</span>
`;

/** What is said where there is nothing to show. */
export const Empty = ({ title, children }) => html`
  <div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>
`;

/** A list of names with values; those without a value are left out. */
export const Facts = ({ facts }) => html`
  <dl class="facts">
    ${facts.filter(([, value]) => value !== null && value !== undefined && value !== '').map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`,
    )}
  </dl>
`;

/** What went wrong, in words. */
export const Trouble = ({ children }) => html`<p class="trouble" role="alert">${children}</p>`;

/** Loads a script that is not a module, once. */
const loaded = new Map();
export function load(path) {
  if (!loaded.has(path)) {
    loaded.set(
      path,
      new Promise((resolve, reject) => {
        const script = document.createElement('script');
        script.src = path;
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${path} cannot be loaded`));
        document.head.append(script);
      }),
    );
  }
  return loaded.get(path);
}

/** What a browser keeps for this page; nothing where it may not. */
export const kept = {
  read(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // It is laid out anew next time.
    }
  },
};
