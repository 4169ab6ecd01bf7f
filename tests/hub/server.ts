/**
 * A hub on this machine that answers as huggingface.co does (paths, status codes, headers, redirections), and fails on
 * request. Its shapes are those that huggingface_hub 2.0.0 for Python reads, which fetches from it as well.
 */

/** A repository as the test wants it. */
export interface FakeRepository {
  /** Files by path; those of 1 KiB and more, and all safetensors, are in large storage. */
  files: Record<string, Uint8Array<ArrayBuffer> | string>;
  /** Sizes that the listing claims, where those are not the files' own. */
  claimed?: Record<string, number>;
  /** Its one commit. */
  commit?: string;
  /** Names of its branches and tags, all of the one commit. */
  refs?: string[];
  /** Who may read it: all, those with the token {@linkcode TOKEN}, or after accepting conditions. */
  access?: "public" | "private" | "gated";
}

/** Something that a request meets with instead of, or within, its answer. */
export type Fault =
  | { status: number; headers?: Record<string, string> }
  | { cutAfter: number }
  | { stallAfter: number };

/** A request as the hub saw it. */
export interface SeenRequest {
  /** Which part of the hub: its API, the addresses of files, or the other origin that large files come from. */
  part: "api" | "resolve" | "cdn";
  path: string;
  range: string | null;
  authorization: string | null;
}

/** The hub; disposing of it stops it. */
export interface FakeHub extends AsyncDisposable {
  endpoint: string;
  requests: SeenRequest[];
  /** Bytes of content that were handed out by file path. */
  sent: Map<string, number>;
  /** Repositories by `models/owner/name` or `datasets/owner/name`. */
  repositories: Record<string, FakeRepository>;
  /** Makes the next requests to a part fail, in this order. */
  fail(part: SeenRequest["part"], ...faults: Fault[]): void;
  /** Files listed in one page. */
  pageSize: number;
  /** Whether it always sends whole files. */
  ignoresRanges: boolean;
  /** Replaces what is sent for a file, so that it doesn't fit its hash. */
  tampered: Map<string, Uint8Array<ArrayBuffer>>;
}

export const TOKEN = "hf_testtoken";
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Starts a hub. */
export function startHub(repositories: Record<string, FakeRepository>): FakeHub {
  const faults: Record<SeenRequest["part"], Fault[]> = { api: [], resolve: [], cdn: [] };
  const hub: Omit<FakeHub, typeof Symbol.asyncDispose> = {
    endpoint: "",
    requests: [],
    sent: new Map(),
    repositories,
    pageSize: 1000,
    ignoresRanges: false,
    tampered: new Map(),
    fail: (part, ...more) => faults[part].push(...more),
  };
  const answer = async (request: Request, part: SeenRequest["part"], whole: () => Promise<Response>) => {
    const url = new URL(request.url);
    const { headers } = request;
    hub.requests.push({
      part,
      path: decodeURIComponent(url.pathname),
      range: headers.get("range"),
      authorization: headers.get("authorization"),
    });
    const fault = faults[part].shift();
    if (fault === undefined) return await whole();
    if ("status" in fault) return new Response("", fault);
    return interrupt(await whole(), fault);
  };
  const cdn = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => answer(request, "cdn", () => sendContent(hub, request)),
  );
  const cdnOrigin = `http://127.0.0.1:${cdn.addr.port}`;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/api/resolve-cache/")) {
      return answer(request, "resolve", () => sendContent(hub, request));
    }
    return pathname.startsWith("/api/")
      ? answer(request, "api", () => api(hub, request))
      : answer(request, "resolve", () => resolve(hub, request, cdnOrigin));
  });
  return Object.assign(hub, {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      // Stalled connections would keep a server from finishing.
      await Promise.all([stop(server), stop(cdn)]);
    },
  });
}

async function stop(server: Deno.HttpServer): Promise<void> {
  releases.splice(0).forEach((release) => release());
  await server.shutdown();
}

const releases: (() => void)[] = [];

/** The SHA-256 of large files and git's SHA-1 of small ones. */
export async function hashesOf(content: Uint8Array<ArrayBuffer>): Promise<{ sha256: string; git: string }> {
  const header = new TextEncoder().encode(`blob ${content.length}\0`);
  const digest = async (name: string, bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest(name, bytes)).toHex();
  return { sha256: await digest("SHA-256", content), git: await digest("SHA-1", concat(header, content)) };
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const bytesOf = (content: Uint8Array<ArrayBuffer> | string) =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

const isLarge = (path: string, bytes: Uint8Array) => bytes.length >= 1024 || path.endsWith(".safetensors");

async function describe(path: string, content: Uint8Array<ArrayBuffer> | string) {
  const bytes = bytesOf(content);
  const { sha256, git } = await hashesOf(bytes);
  if (!isLarge(path, bytes)) return { type: "file", oid: git, size: bytes.length, path };
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${bytes.length}\n`;
  const { git: oid } = await hashesOf(bytesOf(pointer));
  const lfs = { oid: sha256, size: bytes.length, pointerSize: pointer.length };
  return { type: "file", oid, size: bytes.length, path, lfs };
}

function refuse(status: number, code: string | null, message: string): Response {
  const headers: Record<string, string> = { "X-Error-Message": message };
  if (code !== null) headers["X-Error-Code"] = code;
  return Response.json({ error: message }, { status, headers });
}

function findRepository(hub: Pick<FakeHub, "repositories">, request: Request, key: string) {
  const authorization = request.headers.get("authorization");
  if (authorization !== null && authorization !== `Bearer ${TOKEN}`) {
    return refuse(401, null, "Invalid credentials in Authorization header");
  }
  const repository = hub.repositories[key];
  if (repository === undefined || (repository.access === "private" && authorization === null)) {
    return authorization === null
      ? refuse(401, null, "Invalid username or password.")
      : refuse(404, "RepoNotFound", "Repository not found");
  }
  return repository;
}

async function api(
  hub: Pick<FakeHub, "repositories" | "pageSize">,
  request: Request,
): Promise<Response> {
  const url = new URL(request.url);
  const [, , type, owner, name, action, ...rest] = decodeURIComponent(url.pathname).split("/");
  if (type !== "models" && type !== "datasets") return refuse(404, null, "Not found");
  if (owner === undefined) {
    const [search, author] = [url.searchParams.get("search") ?? "", url.searchParams.get("author")];
    const ids = Object.keys(hub.repositories).filter((key) => key.startsWith(`${type}/`))
      .map((key) => key.slice(type!.length + 1))
      .filter((id) => id.toLowerCase().includes(search.toLowerCase()))
      .filter((id) => author === null || id.startsWith(`${author}/`));
    return Response.json(
      ids.map((id) => ({ _id: id, id, modelId: id, lastModified: "2024-01-01T00:00:00Z" })),
    );
  }
  const repository = findRepository(hub, request, `${type}/${owner}/${name}`);
  if (repository instanceof Response) return repository;
  const { commit = COMMIT, refs = ["main"], files } = repository;
  if (action === "refs") {
    const branches = refs.map((name) => ({ name, ref: `refs/heads/${name}`, targetCommit: commit }));
    return Response.json({ tags: [], branches, converts: [] });
  }
  const revision = rest.join("/");
  if (![commit, ...refs].includes(revision)) {
    return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  }
  if (action === "revision") {
    const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
    return Response.json({ _id: "1", id: `${owner}/${name}`, sha: commit, private: false, siblings });
  }
  const folders = new Set(
    Object.keys(files).filter((path) => path.includes("/")).map((path) => path.split("/")[0]!),
  );
  const entries = [
    ...[...folders].map((path) => ({ type: "directory", oid: "f".repeat(40), size: 0, path })),
    ...await Promise.all(Object.entries(files).map(([path, content]) => describe(path, content))),
  ];
  for (const entry of entries) {
    const size = repository.claimed?.[entry.path];
    if (size !== undefined && "lfs" in entry) {
      Object.assign(entry, { size, lfs: Object.assign({}, entry.lfs, { size }) });
    }
  }
  const start = Number(url.searchParams.get("cursor") ?? 0);
  const end = start + hub.pageSize;
  url.searchParams.set("cursor", String(end));
  return Response.json(entries.slice(start, end), {
    headers: end < entries.length ? { Link: `<${url}>; rel="next"` } : {},
  });
}

async function resolve(hub: FakeHubState, request: Request, cdn: string): Promise<Response> {
  const url = new URL(request.url);
  const match = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.*)$/.exec(
    decodeURIComponent(url.pathname),
  );
  if (match === null) return refuse(404, null, "Not found");
  const [, datasets, name, , path] = match;
  const key = `${datasets ? "datasets" : "models"}/${name}`;
  const repository = findRepository(hub, request, key);
  if (repository instanceof Response) return repository;
  const { commit = COMMIT, access, files } = repository;
  if (access === "gated") {
    const status = request.headers.has("authorization") ? 403 : 401;
    return refuse(status, "GatedRepo", `Access to model ${name} is restricted.`);
  }
  const content = files[path!];
  if (content === undefined) return refuse(404, "EntryNotFound", "Entry not found");
  const { oid, lfs, size } = await describe(path!, content);
  const to = `${key}/${commit}/${path}`;
  return new Response(`Redirecting to ${to}`, {
    status: lfs ? 302 : 307,
    headers: {
      "X-Repo-Commit": commit,
      ETag: `"${lfs?.oid ?? oid}"`,
      "X-Linked-Size": String(size),
      "X-Linked-Etag": `"${lfs?.oid ?? oid}"`,
      Location: lfs ? `${cdn}/${to}` : `/api/resolve-cache/${to}`,
    },
  });
}

type FakeHubState = Pick<FakeHub, "repositories" | "tampered" | "sent" | "ignoresRanges">;

async function sendContent(hub: FakeHubState, request: Request): Promise<Response> {
  const path = decodeURIComponent(new URL(request.url).pathname.replace("/api/resolve-cache", ""));
  const [, type, owner, name, commit, ...rest] = path.split("/");
  const file = rest.join("/");
  const bytes = hub.tampered.get(file) ?? bytesOf(hub.repositories[`${type}/${owner}/${name}`]!.files[file]!);
  const { sha256, git } = await hashesOf(bytes);
  const asked = hub.ignoresRanges ? null : request.headers.get("range");
  const range = /^bytes=(\d+)-(\d*)$/.exec(asked ?? "");
  const headers = {
    ETag: `"${isLarge(file, bytes) ? sha256 : git}"`,
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    "X-Repo-Commit": commit!,
  };
  const start = range ? Number(range[1]) : 0;
  if (range && start >= bytes.length) {
    return new Response("", { status: 416, headers: { "Content-Range": `bytes */${bytes.length}` } });
  }
  const part = bytes.slice(start, range?.[2] ? Number(range[2]) + 1 : undefined);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = part.subarray(at, at += 4096);
      if (chunk.length === 0) return controller.close();
      hub.sent.set(file, (hub.sent.get(file) ?? 0) + chunk.length);
      controller.enqueue(chunk);
    },
  }, { highWaterMark: 0 });
  return new Response(request.method === "HEAD" ? null : body, {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      "Content-Length": String(part.length),
      ...(range ? { "Content-Range": `bytes ${start}-${start + part.length - 1}/${bytes.length}` } : {}),
    },
  });
}

// Some bytes, and then the end of the connection or nothing at all.
function interrupt(response: Response, fault: { cutAfter: number } | { stallAfter: number }): Response {
  const reader = response.body!.getReader();
  let left = "cutAfter" in fault ? fault.cutAfter : fault.stallAfter;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (left > 0) {
        const { value } = await reader.read();
        if (value === undefined) return controller.close();
        left -= value.length;
        return controller.enqueue(value);
      }
      await new Promise<void>((release) => {
        releases.push(release);
        if ("cutAfter" in fault) setTimeout(release, 50); // what was sent arrives before the cut
      });
      controller.close(); // before Content-Length is reached, so the server drops the connection
    },
    cancel: () => reader.cancel(),
  }, { highWaterMark: 0 });
  return new Response(body, { status: response.status, headers: response.headers });
}
