// Requests that no operation has: what they are told, and the paths that belong to one operation although the pattern of
// another fits them as well.

import { WaypostError } from '../errors.ts';
import type { Route } from './route.ts';
import { nearestWord } from './suggestion.ts';

const SHOWN_PATH_LENGTH_MAX = 200;

type Named = Pick<Route, 'operation' | 'url'>;

export interface Unknown {
  refusal: WaypostError;
  /** The methods that the path has, as the header `Allow` says them; null where the path is unknown. */
  allow: string | null;
}

export function refuseUnknown(routes: readonly Named[], method: string, path: string, docsUrl: string): Unknown {
  const allowed = methodsOf(routes, path);
  if (allowed.length > 0) {
    const allow = allowed.join(', ');
    const detail = `${method} is not known here; ${allow} ${allowed.length === 1 ? 'is' : 'are'}.`;
    return { refusal: new WaypostError('method_not_allowed', detail), allow };
  }
  const paths = [...new Set(routes.map(({ operation }) => operation.path))];
  const guess = nearestWord(path, paths);
  const hint = guess === null ? '' : ` Did you mean ${guess}?`;
  const detail = `No operation has the path ${path.slice(0, SHOWN_PATH_LENGTH_MAX)}.${hint} ${tellPaths(paths, docsUrl)}.`;
  return { refusal: new WaypostError('not_found', detail), allow: null };
}

/** The port for health and metrics has no page to look them up. */
function tellPaths(paths: readonly string[], docsUrl: string): string {
  return paths.includes('/docs') ? `${docsUrl} lists all` : `Here are ${paths.join(', ')} alone`;
}

/** `GET /v1/jobs/batch` asks for no job: what the pattern of one operation and the path of another share, less what it has. */
export function findOverlaps(routes: readonly Named[]): { method: string; url: string }[] {
  const literal = routes.filter(({ operation }) => !operation.path.includes('{'));
  return [...new Set(literal.map(({ url }) => url))].flatMap((url) => {
    const own = methodsOf(routes, url);
    const fitting = routes.filter(({ operation }) => matchesPath(operation.path, url));
    const foreign = new Set(fitting.map(({ operation }) => operation.method).filter((method) => !own.includes(method)));
    return [...foreign].map((method) => ({ method, url }));
  });
}

/** A path that is written out belongs to its own operations alone. */
function methodsOf(routes: readonly Named[], path: string): string[] {
  const fitting = routes.filter(({ operation }) => matchesPath(operation.path, path));
  const exact = fitting.filter(({ operation }) => operation.path === path);
  const methods = (exact.length > 0 ? exact : fitting).map(({ operation }) => operation.method);
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
}

function matchesPath(template: string, path: string): boolean {
  const parts = path.split('/');
  const wanted = template.split('/');
  return (
    parts.length === wanted.length &&
    wanted.every((part, index) => (part.startsWith('{') ? parts[index] !== '' : part === parts[index]))
  );
}
