// A JSON schema as the text of a TypeScript type. A line belongs here if it knows a keyword of JSON schema.

export type Json = { readonly [name: string]: unknown };
/** The shape of an object → the name of its type. */
export type Names = ReadonlyMap<string, string>;

/** What tells one object from another: its members. Null for anything but an object with members. */
export function shapeOf(schema: unknown): string | null {
  const { type, properties, required, additionalProperties } = schema as Json;
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'));
  return isObject && properties !== undefined ? JSON.stringify([properties, required, additionalProperties]) : null;
}

/** A type that stands in another: by its name where it has one. */
function writeType(schema: unknown, names: Names): string {
  const name = names.get(shapeOf(schema) ?? '');
  if (name === undefined) return writeShape(schema as Json | boolean, names);
  return Array.isArray((schema as Json).type) ? `${name} | null` : name;
}

/** A type in full; what stands in it may be named. */
export function writeShape(schema: Json | boolean, names: Names): string {
  if (typeof schema === 'boolean') return schema ? 'unknown' : 'never';
  if (typeof schema.$ref === 'string') return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return union(schema.enum.map((value) => JSON.stringify(value)));
  const choices = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(choices)) return union(choices.map((choice) => writeType(choice, names)));
  if (Array.isArray(schema.allOf)) return schema.allOf.map((part) => `(${writeType(part, names)})`).join(' & ');
  if (Array.isArray(schema.type)) return union(schema.type.map((type) => writeType({ ...schema, type }, names)));
  switch (schema.type) {
    case 'null':
      return 'null';
    case 'string':
    case 'boolean':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return writeArray(schema, names);
    case 'object':
      return writeObject(schema, names);
    default:
      return 'unknown';
  }
}

function writeArray(schema: Json, names: Names): string {
  const places = Array.isArray(schema.prefixItems)
    ? schema.prefixItems
    : Array.isArray(schema.items)
      ? schema.items
      : null;
  if (places !== null) return `[${places.map((place) => writeType(place, names)).join(', ')}]`;
  const item = writeType(schema.items ?? true, names);
  return /^[\w.]+$|^\{/.test(item) && !item.includes('} | ') ? `${item}[]` : `(${item})[]`;
}

function writeObject(schema: Json, names: Names): string {
  const properties = Object.entries((schema.properties ?? {}) as Json);
  const required = new Set((schema.required ?? []) as string[]);
  const lines = properties.map(([name, property]) => {
    const key = /^[a-z_]\w*$/i.test(name) ? name : JSON.stringify(name);
    const text = writeType(property, names);
    const isOptional = !required.has(name);
    return `${writeComment((property as Json).description)}${key}${isOptional ? '?' : ''}: ${text}${isOptional ? ' | undefined' : ''};`;
  });
  const [pattern] = Object.values((schema.patternProperties ?? {}) as Json);
  const others = pattern ?? schema.additionalProperties;
  if (others !== undefined && others !== false) {
    if (lines.length === 0) return `Record<string, ${writeType(others, names)}>`;
    lines.push('[member: string]: unknown;');
  }
  if (lines.length === 0) return 'Record<string, never>';
  return `{\n${lines.join('\n').replaceAll(/^/gm, '  ')}\n}`;
}

function union(parts: string[]): string {
  return [...new Set(parts)].join(' | ');
}

export function writeComment(description: unknown): string {
  if (typeof description !== 'string' || description === '') return '';
  return `/** ${description.replaceAll('*/', '*\\/').replaceAll(/\s+/g, ' ').trim()} */\n`;
}
