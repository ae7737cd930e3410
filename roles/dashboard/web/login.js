// Logging in and out.

import { html, useState } from './vendor/preact-htm.js';
import { post } from './connection.js';
import { Trouble } from './parts.js';

export function Login({ entered }) {
  const [password, setPassword] = useState('');
  const [trouble, setTrouble] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const submit = (event) => {
    event.preventDefault();
    setBusy(true);
    setTrouble(null);
    post('api/login', { password }).then(entered, (error) => {
      setBusy(false);
      setTrouble(error.message);
    });
  };
  return html`
    <form class="card login form" onSubmit=${submit}>
      <h2>Log in</h2>
      <label>Password
        <input type="password" autocomplete="current-password" autofocus required value=${password} onInput=${(event) => setPassword(event.target.value)} /></label>
      ${trouble && html`<${Trouble}>${trouble}<//>`}
      <button class="main" disabled=${isBusy}>${isBusy ? 'Checking…' : 'Log in'}</button>
    </form>
  `;
}
