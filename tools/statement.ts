// Reads one parsed SQL statement and says which world's tables it touches without naming the world. A source is
// named when an AND-ed condition binds its world_id to a value from outside, or to a source that is bound itself.
// Conditions below an OR bind nothing; those of an outer join bind only the side that may be missing.

/** A node of the parse tree: PostgreSQL's own grammar, too large to be worth typing here. */
type Node = { readonly [member: string]: unknown };

interface Source {
  alias: string;
  table: string;
}

/** Sources of one query level, and what is known about them. */
interface Level {
  /** World's tables by alias. */
  sources: Map<string, Source>;
  /** Aliases whose world comes from outside. */
  bound: Set<string>;
  /** from → to: when `from` is bound, so is `to`. */
  edges: [string, string][];
  /** Aliases joined by `using (world_id)`: an unqualified world_id means the first of them. */
  merged: string[];
}

/** What surrounds a query: names that are not tables. */
interface Scope {
  worldTables: ReadonlySet<string>;
  ctes: ReadonlySet<string>;
}

/** Names of the tables (with alias) that the statement touches in all worlds at once. Empty: the statement is fine. */
export function findUnboundTables(statement: unknown, worldTables: ReadonlySet<string>): string[] {
  const node = asNode(statement);
  const [kind, body] = only(node);
  const scope: Scope = { worldTables, ctes: new Set() };
  switch (kind) {
    case 'SelectStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'InsertStmt':
    case 'MergeStmt':
      return checkQuery(kind, body, scope);
    case 'TruncateStmt':
      return list(body.relations).flatMap((relation) => worldTableOf(asNode(asNode(relation).RangeVar), scope) ?? []);
    case 'CopyStmt':
      return body.relation === undefined
        ? checkNested(body.query, scope)
        : [worldTableOf(asNode(body.relation), scope)].filter((name) => name !== null);
    case 'ExplainStmt':
    case 'PrepareStmt':
    case 'DeclareCursorStmt':
      return findUnboundTables(body.query, worldTables);
    case 'DoStmt':
      return ['a do block, into which nobody can look'];
    default:
      return [];
  }
}

function checkQuery(kind: string, body: Node, outer: Scope): string[] {
  const { scope, found } = checkCtes(body.withClause, outer);
  if (kind === 'SelectStmt' && body.larg !== undefined)
    return [
      ...found,
      ...checkQuery('SelectStmt', asNode(body.larg), scope),
      ...checkQuery('SelectStmt', asNode(body.rarg), scope),
    ];
  const level: Level = { sources: new Map(), bound: new Set(), edges: [], merged: [] };
  if (kind === 'InsertStmt') found.push(...checkInsert(body, scope));
  else if (body.relation !== undefined) addTable(asNode(body.relation), level, scope);
  for (const member of ['fromClause', 'usingClause'])
    for (const item of list(body[member])) found.push(...addFrom(asNode(item), level, scope));
  if (kind === 'MergeStmt') {
    found.push(...addFrom(asNode(body.sourceRelation), level, scope));
    bindBy(body.joinCondition, level, null);
  }
  bindBy(body.whereClause, level, null);
  for (const [member, value] of Object.entries(body))
    if (!['withClause', 'fromClause', 'usingClause', 'relation', 'sourceRelation'].includes(member))
      found.push(...checkNested(value, scope));
  return [...found, ...unboundOf(level)];
}

function checkCtes(withClause: unknown, outer: Scope): { scope: Scope; found: string[] } {
  const expressions = list(asNode(withClause).ctes).map((cte) => asNode(asNode(cte).CommonTableExpr));
  const recursive = asNode(withClause).recursive === true;
  const ctes = new Set(outer.ctes);
  const found: string[] = [];
  for (const expression of expressions) {
    if (recursive) ctes.add(String(expression.ctename));
    found.push(...checkNested(expression.ctequery, { ...outer, ctes }));
    ctes.add(String(expression.ctename));
  }
  return { scope: { ...outer, ctes }, found };
}

function checkInsert(body: Node, scope: Scope): string[] {
  const table = worldTableOf(asNode(body.relation), scope);
  if (table === null) return [];
  const columns = list(body.cols).map((column) => asNode(asNode(column).ResTarget).name);
  return columns.includes('world_id') ? [] : [`${table} (its world_id is not among the columns written)`];
}

/** Adds what a from item names, with the conditions of its joins. Answers faults of subqueries inside it. */
function addFrom(item: Node, level: Level, scope: Scope): string[] {
  const [kind, body] = only(item);
  if (kind === 'RangeVar') {
    addTable(body, level, scope);
    return [];
  }
  if (kind !== 'JoinExpr') return checkNested(body, scope);
  const left = addSide(asNode(body.larg), level, scope);
  const right = addSide(asNode(body.rarg), level, scope);
  const missing = missingSide(String(body.jointype), left.aliases, right.aliases);
  if (
    body.isNatural === true ||
    list(body.usingClause).some((name) => asNode(asNode(name).String).sval === 'world_id')
  ) {
    level.merged.push(...left.aliases, ...right.aliases);
    for (const from of left.aliases) for (const to of right.aliases) addEdges(from, to, level, missing);
    // A side without a world's table (a function, a CTE) brings the world in from outside.
    if (left.aliases.length === 0) for (const alias of right.aliases) level.bound.add(alias);
    if (right.aliases.length === 0) for (const alias of left.aliases) level.bound.add(alias);
  }
  bindBy(body.quals, level, missing);
  return [...left.found, ...right.found, ...checkNested(body.quals, scope)];
}

function addSide(side: Node, level: Level, scope: Scope): { aliases: string[]; found: string[] } {
  const before = new Set(level.sources.keys());
  const found = addFrom(side, level, scope);
  return { aliases: [...level.sources.keys()].filter((alias) => !before.has(alias)), found };
}

/** The aliases that a join condition may bind; null when it may bind all. */
function missingSide(jointype: string, left: string[], right: string[]): ReadonlySet<string> | null {
  if (jointype === 'JOIN_LEFT') return new Set(right);
  if (jointype === 'JOIN_RIGHT') return new Set(left);
  if (jointype === 'JOIN_FULL') return new Set();
  return null;
}

function addTable(rangeVar: Node, level: Level, scope: Scope): void {
  const table = worldTableOf(rangeVar, scope);
  if (table === null) return;
  const alias = String(asNode(rangeVar.alias).aliasname ?? rangeVar.relname);
  level.sources.set(alias, { alias, table });
}

/** The name when it is a world's table (or one partition of such a table), else null. */
function worldTableOf(rangeVar: Node, scope: Scope): string | null {
  const name = String(rangeVar.relname);
  if (rangeVar.schemaname === undefined && scope.ctes.has(name)) return null;
  return scope.worldTables.has(name) || scope.worldTables.has(name.replace(/_[p\d_]+$/, '')) ? name : null;
}

/** Reads the AND-ed conditions. `missing`: the only aliases that they may bind, or null for all. */
function bindBy(condition: unknown, level: Level, missing: ReadonlySet<string> | null): void {
  const [kind, body] = only(asNode(condition));
  if (kind === 'BoolExpr' && body.boolop === 'AND_EXPR')
    for (const part of list(body.args)) bindBy(part, level, missing);
  if (kind === 'A_Expr' && ['AEXPR_OP', 'AEXPR_OP_ANY', 'AEXPR_IN'].includes(String(body.kind))) {
    if (asNode(asNode(list(body.name)[0]).String).sval !== '=') return;
    bindPair(body.lexpr, body.rexpr, level, missing);
  }
  if (kind === 'SubLink' && body.subLinkType === 'ANY_SUBLINK') bindPair(body.testexpr, {}, level, missing);
}

function bindPair(left: unknown, right: unknown, level: Level, missing: ReadonlySet<string> | null): void {
  const leftRow = rowOf(left);
  const rightRow = rowOf(right);
  if (leftRow !== null) {
    for (const [index, member] of leftRow.entries()) bindPair(member, rightRow?.[index] ?? {}, level, missing);
    return;
  }
  const a = worldColumn(left, level);
  const b = worldColumn(right, level);
  if (a !== null && b !== null) addEdges(a, b, level, missing);
  else if (a !== null && !isOtherColumn(right, level)) bindOne(a, level, missing);
  else if (b !== null && !isOtherColumn(left, level)) bindOne(b, level, missing);
}

function addEdges(a: string, b: string, level: Level, missing: ReadonlySet<string> | null): void {
  if (missing === null || missing.has(b)) level.edges.push([a, b]);
  if (missing === null || missing.has(a)) level.edges.push([b, a]);
}

function bindOne(alias: string, level: Level, missing: ReadonlySet<string> | null): void {
  if (missing === null || missing.has(alias)) level.bound.add(alias);
}

/** The alias when the expression is the world_id of a world's table of this level, else null. */
function worldColumn(expression: unknown, level: Level): string | null {
  const fields = columnOf(expression);
  if (fields === null || fields[fields.length - 1] !== 'world_id') return null;
  const alias = fields.length > 1 ? fields[fields.length - 2] : undefined;
  if (alias !== undefined) return level.sources.has(alias) ? alias : null;
  if (level.sources.size === 1) return [...level.sources.keys()][0] ?? null;
  return level.merged[0] ?? null;
}

/** True for another column of a world's table of this level: it cannot say which world is meant. */
function isOtherColumn(expression: unknown, level: Level): boolean {
  const fields = columnOf(expression);
  return fields !== null && fields.length > 1 && level.sources.has(fields[fields.length - 2] ?? '');
}

function columnOf(expression: unknown): string[] | null {
  const column = asNode(expression).ColumnRef;
  return column === undefined
    ? null
    : list(asNode(column).fields).map((field) => String(asNode(asNode(field).String).sval));
}

function rowOf(expression: unknown): unknown[] | null {
  const row = asNode(expression).RowExpr;
  return row === undefined ? null : list(asNode(row).args);
}

function unboundOf(level: Level): string[] {
  const bound = new Set(level.bound);
  for (let size = -1; size !== bound.size; ) {
    size = bound.size;
    for (const [from, to] of level.edges) if (bound.has(from)) bound.add(to);
  }
  return [...level.sources.values()]
    .filter((source) => !bound.has(source.alias))
    .map((source) => (source.alias === source.table ? source.table : `${source.table} ${source.alias}`));
}

/** Checks the queries inside an expression. What stands outside of them is theirs to rely on. */
function checkNested(value: unknown, scope: Scope): string[] {
  if (Array.isArray(value)) return value.flatMap((member) => checkNested(member, scope));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([member, inner]) =>
    /^(Select|Update|Delete|Insert|Merge)Stmt$/.test(member)
      ? checkQuery(member, asNode(inner), scope)
      : checkNested(inner, scope),
  );
}

function only(node: Node): [string, Node] {
  const [kind, body] = Object.entries(node)[0] ?? ['', {}];
  return [kind, asNode(body)];
}

function asNode(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
