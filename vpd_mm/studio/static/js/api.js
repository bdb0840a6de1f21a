// Requests to the server.  An answer that is not ok becomes an Error with the server's line and `status`, `body`.

const GONE = 'The studio does not answer: run tools/studio.py again and reload the page. What was saved is still there.';

async function send(method, path, body, type) {
  const response = await fetch(`api/${path}`, { method, headers: { 'X-VPD-Studio': '1', ...(type && { 'Content-Type': type }) }, body }).catch(() => {
    throw new Error(GONE);
  });
  const answer = response.headers.get('Content-Type')?.includes('json') ? await response.json() : null;
  if (!response.ok) {
    throw Object.assign(new Error(answer?.error ?? `${method} ${path}: ${response.status}`), {
      status: response.status,
      body: answer,
    });
  }
  return answer;
}

export const request = (method, path, body) =>
  body === undefined ? send(method, path) : send(method, path, JSON.stringify(body), 'application/json');
export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const remove = (path) => request('DELETE', path);
export const upload = (path, file) => send('POST', path, file, 'application/octet-stream');
export const name = encodeURIComponent;
