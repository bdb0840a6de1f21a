// Requests to the server.  An answer that is not ok becomes an Error with the server's line and `status`.

const GONE = 'The studio does not answer: run tools/studio.py again and reload the page. What was saved is still there.';

async function send(method, path, { body, type, signal } = {}) {
  const headers = { 'X-VPD-Studio': '1', ...(type && { 'Content-Type': type }) };
  const response = await fetch(`api/${path}`, { method, headers, body, signal }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Error(GONE);
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw Object.assign(new Error(answer?.error ?? `${method} ${path}: ${response.status}`), { status: response.status });
}

export async function request(method, path, body) {
  const json = body !== undefined && { body: JSON.stringify(body), type: 'application/json' };
  return (await send(method, path, json || {})).json();
}

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const remove = (path) => request('DELETE', path);
export const upload = async (path, file) => (await send('POST', path, { body: file, type: 'application/octet-stream' })).json();
// The response, for what is not JSON.
export const download = (path, signal) => send('GET', path, { signal });
export const name = encodeURIComponent;
