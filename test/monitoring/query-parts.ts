/** A selector of a query: `metric{label="value"}`. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

export interface Matcher {
  readonly label: string;
  /** What it is compared with; of a regular expression each alternative. */
  readonly values: readonly string[];
}

/** What a query names. */
export interface QueryParts {
  readonly selectors: readonly Selector[];
  /** Labels by which it groups or matches: `by (...)`, `on (...)`, `group_left (...)`. */
  readonly grouping: readonly string[];
}

const words = new Set(['by', 'on', 'without', 'ignoring', 'group_left', 'group_right', 'and', 'or', 'unless', 'offset', 'bool', 'inf', 'nan']);

/** Takes a query apart, as far as a test must know it: whether it is well formed is for Prometheus to say. */
export function partsOf(query: string): QueryParts {
  const grouping: string[] = [];
  const rest = query.replaceAll(/\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)/g, (_whole, labels: string) => {
    grouping.push(...labels.split(',').map((label) => label.trim()).filter(Boolean));
    return ' ';
  });
  const selectors = [...rest.matchAll(/(?<![\w:"$])([a-zA-Z_:][\w:]*)\s*(\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\})?(\s*\()?(?=(?:[^"]*"[^"]*")*[^"]*$)/g)]
    .filter(([, name, , call]) => call === undefined && !words.has(name!.toLowerCase()))
    .map(([, metric, braces]) => ({ metric: metric!, matchers: matchersOf(braces ?? '') }));
  return { selectors, grouping };
}

function matchersOf(braces: string): Matcher[] {
  return [...braces.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)].map(([, label, operator, value]) => ({
    label: label!,
    values: operator!.endsWith('~') ? value!.split('|') : [value!],
  }));
}
