// Requests to the server.  An answer that is not ok becomes an Error with the server's line and `status`, `body`.

export async function request(method, path, body) {
  const response = await fetch(`api/${path}`, {
    method,
    headers: { 'X-VPD-Studio': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
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

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const remove = (path) => request('DELETE', path);
export const name = encodeURIComponent;
